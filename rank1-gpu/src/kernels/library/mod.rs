//! Our prologue and epilogue inside the matrix product of cubek-matmul.
//!
//! The library asks for entries of its operands and hands over finished sums through views; ours apply the factors while
//! they are read and finish outputs while they are written. What its kernels do in between (tiles, planes, tensor cores)
//! is its own affair.

#![allow(
    dead_code,
    reason = "the library calls the expansion of this code, which the compiler does not count"
)]

mod arguments;
mod gather;
mod operand;
mod store;

pub(crate) use arguments::{Fused, OperandsLaunch};
pub(crate) use gather::{Gather, GatheredLaunch};
pub(crate) use operand::OperandLaunch;
pub(crate) use store::{FactorRowsGradientLaunch, OutputGradientLaunch, StoreLaunch};
