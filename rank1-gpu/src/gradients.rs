//! What backward passes return: buffers of a device, or vectors on the host.

/// Gradients of a posterior's parameters, each `[K, D]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterGradients<T> {
    /// In the locations.
    pub d_location: T,
    /// In the scale parameters: in the raw ones where [`crate::Draw::scale`] says so.
    pub d_scale: T,
}
