//! Bins of numbers: codes in double precision, their padded form in the files, and quantiles as edges.

use rank1_core::embedding::{Edges, PiecewiseLinear, encode, quantile_edges};

use crate::json::{Fault, Outcome, Record, Values};
use crate::report::{Precision, Verdict};

/// The bins of every feature.
#[derive(Debug, Clone)]
pub(crate) struct Bins {
    pub(crate) edges: Edges,
    /// Bins of the feature that has most.
    pub(crate) most: usize,
}

impl Bins {
    /// From `bin_edges`, one feature after the other, and `n_edges` of each.
    pub(crate) fn read(record: &Record<'_>) -> Outcome<Self> {
        let (flat, counts) = (record.vector("bin_edges")?.to_vec(), record.labels("n_edges")?.to_vec());
        if counts.iter().sum::<usize>() != flat.len() {
            return record.fault("n_edges", "do not add up to the number of `bin_edges`");
        }
        let mut rest = &flat[..];
        let mut features = Vec::new();
        for &count in &counts {
            let (own, others) = rest.split_at(count);
            features.push(own.to_vec());
            rest = others;
        }
        let most = counts.iter().map(|count| count.saturating_sub(1)).max().unwrap_or(0);
        Ok(Self { edges: record.ok(Edges::new(&features))?, most })
    }

    /// Edges of each feature.
    pub(crate) fn features(&self) -> Vec<Vec<f64>> {
        (0..self.edges.n_features()).map(|feature| self.edges.of(feature).to_vec()).collect()
    }

    /// Places of all bins in `[n, most]`: the last bin of a feature is in the last column, the others in the first ones.
    pub(crate) fn places(&self) -> Vec<usize> {
        let of = |feature: usize| {
            let last = self.edges.of(feature).len() - 2;
            (0..=last).map(move |bin| feature * self.most + if bin == last { self.most - 1 } else { bin })
        };
        (0..self.edges.n_features()).flat_map(of).collect()
    }

    /// A value of each bin from its edges, `[n, most]`, zero where there is none.
    fn padded(&self, value: impl Fn(f64, f64) -> f64) -> Values {
        let n = self.edges.n_features();
        let mut data = vec![0.0; n * self.most];
        let values = self
            .features()
            .into_iter()
            .flat_map(|edges| edges.windows(2).map(|pair| value(pair[0], pair[1])).collect::<Vec<_>>());
        self.places().into_iter().zip(values).for_each(|(place, value)| data[place] = value);
        Values::from(data).reshaped(&[n, self.most])
    }

    /// Compares what the files say of the padded form.
    pub(crate) fn check_padding(&self, record: &Record<'_>) -> Outcome<()> {
        record.check("max_n_bins", self.most as f64, Precision::Exact)?;
        record.check("padding_mask", self.padded(|_, _| 1.0), Precision::Exact)
    }
}

/// A case of `PiecewiseLinearEncoding`.
pub(crate) fn encoding(record: &Record<'_>) -> Outcome<Verdict> {
    let bins = Bins::read(record)?;
    let (b, n) = (record.count("B")?, record.count("n_features")?);
    if bins.edges.n_features() != n {
        return record.fault("n_features", "is not the length of `n_edges`");
    }
    record.expect_shape("x", &[b, n])?;
    bins.check_padding(record)?;
    record.check("impl_weight", bins.padded(|left, right| 1.0 / (right - left)), Precision::Double)?;
    record.check("impl_bias", bins.padded(|left, right| -left / (right - left)), Precision::Double)?;
    let (x, all) = (record.values("x")?.data, bins.edges.n_bins());
    let output = encode(&bins.edges, &x);
    record.check("output", Values::from(output.clone()).reshaped(&[b, all]), Precision::Double)?;
    if !record.has("grad") {
        return Ok(Verdict::Compared);
    }
    record.expect_shape("cotangent", &[b, all])?;
    let cotangent = record.values("cotangent")?.data;
    let objective: f64 = output.iter().zip(&cotangent).map(|(o, c)| o * c).sum();
    record.check("objective", objective, Precision::Double)?;
    // The code itself as an embedding: its weight is the identity, and all features see the same cotangent.
    let identity: Vec<f64> = (0..all * all).map(|i| f64::from(u8::from(i % (all + 1) == 0))).collect();
    let embedding = PiecewiseLinear { edges: &bins.edges, weight: &identity, width: all };
    let repeated: Vec<f64> = cotangent.chunks_exact(all).flat_map(|row| row.repeat(n)).collect();
    let (mut d_weight, mut d_x) = (vec![0.0; identity.len()], vec![0.0; x.len()]);
    record.ok(embedding.backward(&x, &repeated, &mut d_weight, Some(&mut d_x)))?;
    let grad = record.child("grad")?;
    grad.check("x", Values::from(d_x).reshaped(&[b, n]), Precision::Double)?;
    record.report.unread.borrow_mut().extend(grad.unread());
    Ok(Verdict::Compared)
}

/// A case of `compute_bins`.
pub(crate) fn quantiles(record: &Record<'_>) -> Outcome<Verdict> {
    let (x, n_bins) = (record.matrix("X")?, record.count("n_bins")?);
    let edges: Result<Vec<Vec<f64>>, _> =
        x.columns().into_iter().map(|column| quantile_edges(&column.to_vec(), n_bins)).collect();
    record.check_flag("accepted", edges.is_ok())?;
    let (true, Ok(edges)) = (record.flag("accepted")?, &edges) else { return Ok(Verdict::Compared) };
    let levels: Vec<f64> = (0..=n_bins).map(|i| i as f64 / n_bins as f64).collect();
    record.check("levels", levels, Precision::Double)?;
    let counts: Vec<f64> = edges.iter().map(|edges| edges.len() as f64).collect();
    record.check("n_edges", counts, Precision::Exact)?;
    record.check("bin_edges", edges.concat(), Precision::Double)?;
    record
        .ok(Edges::new(edges))
        .map(|_| Verdict::Compared)
        .map_err(|fault| Fault { what: format!("{} although they are quantiles", fault.what), ..fault })
}
