//! Small smooth networks with exact second derivatives, for checking statements about local curvature.
//!
//! Not a layer library and not fast: no bias, no batch, one scalar output.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::numeric::{sigmoid, softplus};
use crate::{Error, Real};

/// A twice differentiable activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SmoothActivation {
    /// `z`.
    Identity,
    /// `tanh z`.
    Tanh,
    /// `ln(1 + e^z)`.
    Softplus,
}

impl SmoothActivation {
    /// Value, first and second derivative at `z`.
    pub fn jet<F: Real>(self, z: F) -> [F; 3] {
        match self {
            Self::Identity => [z, F::one(), F::zero()],
            Self::Tanh => {
                let t = z.tanh();
                let slope = F::one() - t * t;
                [t, slope, -(t + t) * slope]
            }
            Self::Softplus => {
                let p = sigmoid(z);
                [softplus(z), p, p * (F::one() - p)]
            }
        }
    }
}

/// Which second derivative with respect to a layer's pre-activations is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HessianKind {
    /// The true one.
    Exact,
    /// The paper's simplification: curvature of the layer's own activation only, hence diagonal. It is exact for the
    /// last hidden layer, and below it when the layers above are linear.
    OwnActivation,
}

/// `x_h = g_h σ(x_{h-1} W_h)` for `h = 1..H` and the score `f = x_H · a`.
#[derive(Debug, Clone)]
pub struct SmoothNet<'a, F> {
    /// Weights `[D_{h-1}, D_h]`, input first.
    pub weights: Vec<ArrayView2<'a, F>>,
    /// Gains `g_h` (the paper's `sqrt(c / M)`), one per layer.
    pub gains: Vec<F>,
    /// Readout `a`, `[D_H]`.
    pub readout: ArrayView1<'a, F>,
    /// The same activation in every layer.
    pub activation: SmoothActivation,
}

/// What one forward pass leaves behind for the derivatives.
struct Trace<F> {
    /// Inputs of layers `1..H`, then the last activations: `H + 1` vectors.
    inputs: Vec<Array1<F>>,
    /// Gained slope and curvature of each layer's activation.
    slopes: Vec<Array1<F>>,
    curvatures: Vec<Array1<F>>,
}

impl<F: Real> SmoothNet<'_, F> {
    /// The score of one input.
    ///
    /// # Shapes
    /// `x`: `[D_0]`; returns a scalar.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] names the layer's argument that does not fit.
    ///
    /// # Source
    /// Network of Theorem 1 in Dusenberry et al. 2020, appendix A.
    pub fn score(&self, x: ArrayView1<'_, F>) -> Result<F, Error> {
        Ok(self.trace(x)?.inputs[self.weights.len()].dot(&self.readout))
    }

    /// The vector that enters layer `layer`, counted from 0.
    ///
    /// # Shapes
    /// `x`: `[D_0]`; returns `[D_layer]`.
    ///
    /// # Errors
    /// As [`SmoothNet::score`]; [`Error::OutOfRange`] for a layer that does not exist.
    ///
    /// # Source
    /// Forward pass.
    pub fn layer_input(&self, x: ArrayView1<'_, F>, layer: usize) -> Result<Array1<F>, Error> {
        self.check_layer("layer_input", layer)?;
        Ok(self.trace(x)?.inputs.swap_remove(layer))
    }

    /// Second derivative of the score with respect to the pre-activations of a layer (from 0), the rest held fixed.
    ///
    /// # Shapes
    /// `x`: `[D_0]`; returns `[D_out, D_out]` of that layer, symmetric.
    ///
    /// # Errors
    /// As [`SmoothNet::layer_input`].
    ///
    /// # Source
    /// Recursion from the readout: through the weights above, both sides of the Hessian are multiplied; at each
    /// activation its curvature times the upstream gradient joins the diagonal. The paper's appendix A drops the first
    /// part: [`HessianKind::OwnActivation`].
    pub fn preactivation_hessian(
        &self,
        x: ArrayView1<'_, F>,
        layer: usize,
        kind: HessianKind,
    ) -> Result<Array2<F>, Error> {
        self.check_layer("preactivation_hessian", layer)?;
        let trace = self.trace(x)?;
        let top = self.weights.len() - 1;
        // Gradient and Hessian with respect to the activations of layer `h`, starting at the readout.
        let mut upstream = self.readout.to_owned();
        let mut hessian = Array2::zeros((upstream.len(), upstream.len()));
        for h in (layer..=top).rev() {
            let slope = &trace.slopes[h];
            let own = &upstream * &trace.curvatures[h];
            if h == layer && kind == HessianKind::OwnActivation {
                return Ok(Array2::from_diag(&own));
            }
            let n = own.len();
            let here = Array2::from_shape_fn((n, n), |(j, l)| {
                let through = slope[j] * hessian[[j, l]] * slope[l];
                if j == l { through + own[j] } else { through }
            });
            if h == layer {
                return Ok(here);
            }
            let weight = self.weights[h];
            upstream = weight.dot(&(&upstream * slope));
            hessian = weight.dot(&here).dot(&weight.t());
        }
        unreachable!("the loop ends at `layer`")
    }

    fn check_layer(&self, op: &'static str, layer: usize) -> Result<(), Error> {
        if layer < self.weights.len() {
            return Ok(());
        }
        Err(Error::OutOfRange {
            op,
            argument: "layer",
            value: layer as f64,
            expected: "below the number of layers",
        })
    }

    fn trace(&self, x: ArrayView1<'_, F>) -> Result<Trace<F>, Error> {
        let shape = |argument, expected: usize, got: usize| {
            Err(Error::ShapeMismatch { op: "SmoothNet", argument, expected: vec![expected], got: vec![got] })
        };
        if self.gains.len() != self.weights.len() {
            return shape("gains", self.weights.len(), self.gains.len());
        }
        let mut trace = Trace { inputs: vec![x.to_owned()], slopes: Vec::new(), curvatures: Vec::new() };
        let mut input = x.to_owned();
        for (weight, &gain) in self.weights.iter().zip(&self.gains) {
            if weight.nrows() != input.len() {
                return shape("weights (rows)", input.len(), weight.nrows());
            }
            let jets = input.dot(weight).mapv(|z| self.activation.jet(z));
            let part = |which: usize| Array1::from_iter(jets.iter().map(|jet: &[F; 3]| gain * jet[which]));
            input = part(0);
            trace.inputs.push(input.clone());
            trace.slopes.push(part(1));
            trace.curvatures.push(part(2));
        }
        if self.readout.len() != input.len() {
            return shape("readout", input.len(), self.readout.len());
        }
        Ok(trace)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testkit::{central_differences, max_relative_error, normals};

    const WIDTHS: [usize; 4] = [5, 7, 3, 11];

    fn parts() -> (Vec<Array2<f64>>, Array1<f64>) {
        let weights = (0..3).map(|h| normals(50 + h as u64, (WIDTHS[h], WIDTHS[h + 1])) * 0.5).collect();
        (weights, normals(60, 11))
    }

    /// The score as a function of one layer's pre-activations.
    fn from_preactivation(net: &SmoothNet<'_, f64>, layer: usize, z: &[f64]) -> f64 {
        let mut x = Array1::from(z.to_vec()).mapv(|z| net.gains[layer] * net.activation.jet(z)[0]);
        for h in layer + 1..net.weights.len() {
            x = x.dot(&net.weights[h]).mapv(|z| net.gains[h] * net.activation.jet(z)[0]);
        }
        x.dot(&net.readout)
    }

    #[test]
    fn activation_derivatives_match_central_differences() {
        for activation in [SmoothActivation::Identity, SmoothActivation::Tanh, SmoothActivation::Softplus] {
            for z in [-2.3, -0.1, 0.0, 0.7, 3.1] {
                let slope = central_differences(|p| activation.jet(p[0])[0], &[z])[0];
                let curvature = central_differences(|p| activation.jet(p[0])[1], &[z])[0];
                assert!((activation.jet(z)[1] - slope).abs() < 1e-10);
                assert!((activation.jet(z)[2] - curvature).abs() < 1e-10);
            }
        }
    }

    #[test]
    fn the_exact_hessian_matches_central_differences_in_every_layer() {
        let (weights, readout) = parts();
        for activation in [SmoothActivation::Tanh, SmoothActivation::Softplus] {
            let net = SmoothNet {
                weights: weights.iter().map(|w| w.view()).collect(),
                gains: vec![0.9, 1.1, 0.7],
                readout: readout.view(),
                activation,
            };
            let x: Array1<f64> = normals(61, 5);
            for (layer, weight) in weights.iter().enumerate() {
                let z = net.layer_input(x.view(), layer).unwrap().dot(weight);
                let direct = from_preactivation(&net, layer, z.as_slice().unwrap());
                assert!((direct - net.score(x.view()).unwrap()).abs() < 1e-13);
                let exact = net.preactivation_hessian(x.view(), layer, HessianKind::Exact).unwrap();
                for j in 0..z.len() {
                    let slope_j = |p: &[f64]| {
                        let along = |t: &[f64]| {
                            let mut q = p.to_vec();
                            q[j] += t[0];
                            from_preactivation(&net, layer, &q)
                        };
                        central_differences(along, &[0.0])[0]
                    };
                    let row = central_differences(slope_j, z.as_slice().unwrap());
                    assert!(max_relative_error(exact.row(j), &row) < 1e-6, "{activation:?} {layer} {j}");
                }
            }
        }
    }

    #[test]
    fn the_simplified_hessian_is_exact_only_for_the_last_hidden_layer() {
        let (weights, readout) = parts();
        let net = SmoothNet {
            weights: weights.iter().map(|w| w.view()).collect(),
            gains: vec![1.0; 3],
            readout: readout.view(),
            activation: SmoothActivation::Tanh,
        };
        let x: Array1<f64> = normals(62, 5);
        for layer in 0..3 {
            let exact = net.preactivation_hessian(x.view(), layer, HessianKind::Exact).unwrap();
            let own = net.preactivation_hessian(x.view(), layer, HessianKind::OwnActivation).unwrap();
            assert_eq!(exact == own, layer == 2);
        }
    }

    #[test]
    fn layers_that_do_not_fit_are_refused() {
        let (weights, readout) = parts();
        let net = SmoothNet {
            weights: vec![weights[1].view(), weights[0].view()],
            gains: vec![1.0; 2],
            readout: readout.view(),
            activation: SmoothActivation::Tanh,
        };
        assert!(matches!(net.score(Array1::zeros(7).view()), Err(Error::ShapeMismatch { .. })));
        assert!(matches!(net.layer_input(Array1::zeros(7).view(), 2), Err(Error::OutOfRange { .. })));
    }
}
