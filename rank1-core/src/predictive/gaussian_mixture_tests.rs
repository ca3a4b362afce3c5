//! Tests of how mixtures are made, cut and joined.
#![allow(clippy::unwrap_used)]

use ndarray::array;

use super::*;

#[test]
fn members_and_first_terms_pick_rows() {
    // S = 2, K = 3: rows (s0 k0) (s0 k1) (s0 k2) (s1 k0) ...
    let means = array![[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]];
    let mixture = GaussianMixturePredictive::new(means, Array2::ones((6, 1))).unwrap();
    assert_eq!(mixture.member(1, 3).unwrap().means(), array![[1.0], [4.0]]);
    assert_eq!(mixture.first_terms(2).unwrap().means(), array![[0.0], [1.0]]);
    assert!(matches!(mixture.member(0, 4), Err(Error::OutOfRange { argument: "n_members", .. })));
    assert!(matches!(mixture.member(3, 3), Err(Error::OutOfRange { argument: "member", .. })));
    assert!(
        mixture.member(0, 0).is_err() && mixture.first_terms(0).is_err() && mixture.first_terms(7).is_err()
    );
    let twice = GaussianMixturePredictive::concatenate(&[mixture.clone(), mixture.clone()]).unwrap();
    assert_eq!((twice.n_terms(), twice.n_examples()), (6, 2));
    let halves = [mixture.first_terms(3).unwrap(), mixture.rows(Slice::from(3..))];
    assert_eq!(GaussianMixturePredictive::stack(&halves), Ok(mixture.clone()));
    assert!(matches!(GaussianMixturePredictive::stack(&[]), Err(Error::Empty { .. })));
    assert!(
        GaussianMixturePredictive::concatenate(&[mixture.clone(), mixture.first_terms(2).unwrap()]).is_err()
    );
}

#[test]
fn bad_input_is_refused() {
    let new = GaussianMixturePredictive::new;
    for sd in [0.0, -1.0] {
        let got = new(array![[0.0]], array![[sd]]);
        assert!(matches!(got, Err(Error::OutOfRange { argument: "std_devs", .. })));
    }
    let got = new(array![[0.0, f64::NAN]], array![[1.0, 1.0]]);
    assert!(matches!(got, Err(Error::NotFinite { ref index, .. }) if *index == vec![0, 1]));
    assert!(matches!(new(array![[0.0]], array![[1.0, 1.0]]), Err(Error::ShapeMismatch { .. })));
    assert!(matches!(new(Array2::zeros((0, 3)), Array2::zeros((0, 3))), Err(Error::Empty { .. })));
    let fine = new(array![[0.0]], array![[1.0]]).unwrap();
    assert!(matches!(fine.crps(array![0.0, 0.0].view()), Err(Error::ShapeMismatch { .. })));
    assert!(matches!(fine.cdf(array![f64::NAN].view()), Err(Error::NotFinite { .. })));
    assert!(fine.affine(0.0, 1.0).is_err() && fine.affine(1.0, f64::NAN).is_err());
}
