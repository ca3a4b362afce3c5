//! Convolutions of `conv2d_rank1_trainable.json`: posterior families with known noise, raw gradients and KL.

use crate::burn_conv;
use crate::conv::Conv;
use crate::json::{Outcome, Record};
use crate::report::{Precision, Verdict};
use crate::trainable::Sides;

/// One case; the standard deviation of the fixed family is given.
pub(crate) fn run(record: &Record<'_>, fixed: f64) -> Outcome<Verdict> {
    record.note(&["noise"]);
    let conv = Conv::read(record)?;
    let (out_h, out_w) = conv.shape.out_size();
    let shape = [conv.k * conv.e, out_h, out_w, conv.shape.c_out].map(|n| n as f64);
    record.check("output_shape", shape.to_vec(), Precision::Exact)?;
    let sides = Sides::read(record, conv.widths(), (conv.k, conv.e), fixed)?;
    let draws = sides.draws(record)?;
    let (grad, mut gradients) = conv.check(record, &vec![Sides::clipped(&draws)])?;
    sides.check_double(record, &grad, &draws, gradients.remove(0))?;
    let factors = sides.burn();
    let burn = burn_conv::run(record, &conv, std::slice::from_ref(&factors))?;
    burn.check(record, &grad)?;
    sides.check_burn(&grad, &burn.location[0], &burn.raw_scale[0], Precision::Burn)?;
    record.report.unread.borrow_mut().extend(grad.unread());
    sides.check_divergences(record, &factors)?;
    Ok(Verdict::Compared)
}
