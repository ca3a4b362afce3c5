//! The instruction set of the vectorized kernels: the best that this machine has, or the one that is asked for.
//!
//! Not for the products of ndarray (double precision, and everything without vectors), which choose for themselves.

use std::sync::OnceLock;

use pulp::{Arch, Simd, WithSimd};

use crate::Error;

/// The environment variable that asks for an instruction set by its name: `scalar`, `avx2` or `avx512` on x86-64,
/// `scalar` or `native` elsewhere. It is read once, before the first kernel runs.
pub const VARIABLE: &str = "RANK1_SIMD";

/// The name of the instruction set that kernels use.
///
/// # Errors
/// [`Error::InstructionSet`] if the variable asks for one that does not exist or that this machine lacks; kernels then
/// use the best there is.
///
/// # Source
/// Not from a source: what the processor says of itself.
///
/// ```
/// let name = rank1_core::kernels::simd::instruction_set()?;
/// assert!(rank1_core::kernels::simd::available().contains(&name));
/// # Ok::<(), rank1_core::Error>(())
/// ```
pub fn instruction_set() -> Result<&'static str, Error> {
    let Choice { name, refused, .. } = choice();
    match refused {
        None => Ok(name),
        Some(asked) => Err(Error::InstructionSet {
            variable: VARIABLE,
            asked: asked.clone(),
            expected: available().join(", "),
        }),
    }
}

/// The names of the instruction sets of this machine, the best last.
#[must_use]
pub fn available() -> Vec<&'static str> {
    arches().into_iter().map(|(name, _)| name).collect()
}

/// Calls `work`, compiled once for every instruction set, so that its plain loops become vectors as wide as the machine's.
///
/// For loops long enough to pay for a call. Results do not depend on the instruction set: multiplications and additions of
/// plain loops are never contracted.
///
/// # Source
/// Not from a source: code generation.
///
/// ```
/// let mut values = vec![1.5_f32; 1000];
/// rank1_core::kernels::simd::vectorized(|| values.iter_mut().for_each(|value| *value *= 2.0));
/// assert!(values.iter().all(|&value| value == 3.0));
/// ```
#[inline]
pub fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    choice().arch.dispatch(work)
}

/// The instruction set that kernels use.
#[inline]
pub(crate) fn arch() -> Arch {
    choice().arch
}

/// Single-precision values in a vector; 1 without a vector unit.
pub(crate) fn f32_lanes() -> usize {
    choice().lanes
}

/// Vector registers that kernels can count on.
pub(crate) fn vector_registers() -> usize {
    choice().registers
}

struct Choice {
    name: &'static str,
    arch: Arch,
    lanes: usize,
    registers: usize,
    /// What was asked for in vain.
    refused: Option<String>,
}

fn choice() -> &'static Choice {
    static CHOICE: OnceLock<Choice> = OnceLock::new();
    CHOICE
        .get_or_init(|| choose(std::env::var_os(VARIABLE).map(|asked| asked.to_string_lossy().into_owned())))
}

fn choose(asked: Option<String>) -> Choice {
    let asked = asked.filter(|asked| !asked.trim().is_empty());
    let sets = arches();
    let wanted = |asked: &String| sets.iter().find(|(name, _)| *name == asked.trim());
    let found = asked.as_ref().map(wanted);
    let refused = asked.clone().filter(|_| matches!(found, Some(None)));
    let (name, arch) = found.flatten().or(sets.last()).copied().unwrap_or(("scalar", Arch::Scalar));
    let (lanes, registers) = arch.dispatch(Vectors);
    Choice { name, arch, lanes, registers, refused }
}

/// Every instruction set of this machine, the best last.
#[cfg(target_arch = "x86_64")]
fn arches() -> Vec<(&'static str, Arch)> {
    use pulp::x86::{V3, V4};
    let wide = V3::try_new().map(|simd| ("avx2", Arch::V3(simd)));
    let widest = V4::try_new().map(|simd| ("avx512", Arch::V4(simd)));
    [Some(("scalar", Arch::Scalar)), wide, widest].into_iter().flatten().collect()
}

/// Every instruction set of this machine, the best last.
#[cfg(not(target_arch = "x86_64"))]
fn arches() -> Vec<(&'static str, Arch)> {
    vec![("scalar", Arch::Scalar), ("native", Arch::new())]
}

/// Lanes of a vector and number of registers.
struct Vectors;

impl WithSimd for Vectors {
    type Output = (usize, usize);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (usize, usize) {
        (if S::IS_SCALAR { 1 } else { S::F32_LANES }, S::REGISTER_COUNT)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_name_is_obeyed_and_one_that_is_not_there_is_refused() {
        let best = *available().last().unwrap();
        let of = |asked: Option<&str>| choose(asked.map(str::to_owned));
        assert_eq!((of(None).name, of(None).refused), (best, None));
        assert_eq!((of(Some(" ")).name, of(Some(" ")).refused), (best, None));
        assert_eq!((of(Some("scalar")).name, of(Some("scalar")).lanes), ("scalar", 1));
        let wrong = of(Some("avx1024"));
        assert_eq!((wrong.name, wrong.refused.as_deref()), (best, Some("avx1024")));
    }

    /// The tests of the kernels once more in a process of their own, for every instruction set of this machine.
    #[test]
    fn kernels_pass_their_tests_with_every_instruction_set() {
        const KERNELS: [&str; 8] = [
            "batch_norm::",
            "conv::",
            "dense::",
            "lstm::",
            "noise::",
            "numeric::",
            "perturb::",
            "simd::tests::the_variable",
        ];
        for name in available() {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let output = command.args(KERNELS).env(VARIABLE, name).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{name}: {text}");
            let passed = text.split(" passed").next().and_then(|head| head.rsplit(' ').next()).unwrap();
            assert!(passed.parse::<usize>().unwrap() > 40, "{name}: {text}");
        }
    }

    #[test]
    fn the_variable_decides() {
        let asked = std::env::var(VARIABLE).unwrap_or_default();
        if asked.is_empty() {
            assert_eq!(instruction_set().unwrap(), *available().last().unwrap());
        } else {
            assert_eq!(instruction_set().unwrap(), asked);
        }
    }
}
