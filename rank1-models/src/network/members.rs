//! A network of some of the members of another.

use super::Network;
use crate::error::Error;

impl Network {
    /// The network of the same shape and method with another number of members.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn with_members(&self, members: usize) -> Result<Self, Error> {
        Self::new(self.shape.clone(), &self.method.with_members(members))
    }

    /// Whether these are some of its members, rising.
    #[must_use]
    pub fn has_members(&self, kept: &[usize]) -> bool {
        kept.windows(2).all(|pair| pair[0] < pair[1])
            && kept.last().is_some_and(|&last| last < self.n_members)
    }

    /// The network of these members, and itself of all; none where they are no members.
    pub(crate) fn keeping(&self, kept: Option<&[usize]>) -> Result<Option<Self>, Error> {
        match kept {
            None => Ok(Some(self.clone())),
            Some(kept) if self.has_members(kept) => self.with_members(kept.len()).map(Some),
            Some(_) => Ok(None),
        }
    }

    /// The same network with fewer members: the `kept`, rising, with their parameters.
    ///
    /// What members share stays, priors and running statistics too.
    ///
    /// # Shapes
    /// `parameters` `[network.layout.len()]`; the result has the length of the smaller network's layout.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for parameters of another network or members that it has not.
    pub fn of_members(&self, parameters: &[f32], kept: &[usize]) -> Result<(Self, Vec<f32>), Error> {
        let (expected, got) = (self.layout.len(), parameters.len());
        if expected != got {
            return Err(Error::Mismatch { what: "length of the parameter vector", expected, got });
        }
        if !self.has_members(kept) {
            let (expected, got) = (self.n_members, kept.last().map_or(0, |last| last + 1));
            return Err(Error::Mismatch { what: "members, rising, of so many", expected, got });
        }
        let smaller = self.with_members(kept.len())?;
        let mut own = Vec::with_capacity(smaller.layout.len());
        for (from, to) in self.layout.specs().iter().zip(smaller.layout.specs()) {
            let values = &parameters[from.range.clone()];
            if from.shape == to.shape {
                own.extend_from_slice(values);
            } else {
                // Members are the outer axis of all that is theirs.
                let of_one = values.len() / self.n_members;
                kept.iter().for_each(|member| own.extend_from_slice(&values[member * of_one..][..of_one]));
            }
        }
        Ok((smaller, own))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rank1_core::likelihood::Likelihood;

    use super::*;
    use crate::init::initialize;
    use crate::method::{BatchEnsemble, Method, Rank1};
    use crate::network::{Activation, NetworkShape};

    #[test]
    fn kept_members_have_their_own_parameters_and_share_the_others() {
        let shape = NetworkShape::mlp(7, vec![5], 3, Activation::Relu, Likelihood::Categorical);
        let members = |members| BatchEnsemble { members, ..BatchEnsemble::default() };
        for method in
            [Method::BatchEnsemble(members(4)), Method::Rank1(Rank1 { members: 4, ..Rank1::default() })]
        {
            let network = Network::new(shape.clone(), &method).unwrap();
            let parameters = initialize(&network, 3).unwrap();
            let (smaller, own) = network.of_members(&parameters, &[1, 3]).unwrap();
            assert_eq!((smaller.n_members, smaller.layout.len()), (2, own.len()));
            for (from, to) in network.layout.specs().iter().zip(smaller.layout.specs()) {
                let (from, to) = (&parameters[from.range.clone()], &own[to.range.clone()]);
                if from.len() == to.len() {
                    assert_eq!(from, to);
                } else {
                    let (width, of) = (from.len() / 4, to.len() / 2);
                    assert_eq!(width, of);
                    assert_eq!(&to[..width], &from[width..2 * width]);
                    assert_eq!(&to[width..], &from[3 * width..]);
                }
            }
            for wrong in [&[][..], &[2, 1], &[1, 4]] {
                assert!(network.of_members(&parameters, wrong).is_err(), "{wrong:?}");
            }
        }
    }
}
