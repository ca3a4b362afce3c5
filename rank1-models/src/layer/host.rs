//! Values of tensors on the host.

use burn::tensor::Tensor;

use crate::error::Error;

/// The values of a tensor; waits for its device, and learns here what went wrong there.
pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, Error> {
    let data = tensor.try_into_data();
    let data = data.map_err(|error| Error::DeviceFailed { reason: root_cause(&error.to_string()) })?;
    Ok(data.iter::<f32>().collect())
}

/// What stands last in a report of causes; their order and their backtraces are the device library's own affair.
fn root_cause(report: &str) -> String {
    let cause = report.rsplit("Caused by:").flat_map(str::lines).map(str::trim).find(|line| !line.is_empty());
    cause.unwrap_or("it gave no reason").to_owned()
}

#[cfg(test)]
mod tests {
    use super::root_cause;

    #[test]
    fn the_last_cause_is_the_one_that_is_told() {
        let report = "An error\nCaused by:\n  several\n skipped\nCaused by:\n  can't allocate 7 bytes\nAsked at:\n there";
        assert_eq!(root_cause(report), "can't allocate 7 bytes");
        assert_eq!(root_cause("a driver is gone"), "a driver is gone");
        assert_eq!(root_cause(" \n"), "it gave no reason");
    }
}
