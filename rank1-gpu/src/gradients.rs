//! What backward passes return: buffers of a device, or vectors of the host twins.

/// Gradients of a posterior's parameters, each `[K, D]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterGradients<T> {
    /// In the locations.
    pub d_location: T,
    /// In the scale parameters: in the raw ones where [`crate::Draw::scale`] says so.
    pub d_scale: T,
}

/// Gradients of draw-and-scale.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleGradients<T> {
    /// In the scaled entries, of their shape.
    pub d_x: T,
    /// In the parameters of the draw.
    pub parameters: ParameterGradients<T>,
}

/// A divergence of each member, with its gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct KlGradients<T> {
    /// In nats, `[K]`.
    pub value: T,
    /// In the parameters of the posterior.
    pub parameters: ParameterGradients<T>,
}
