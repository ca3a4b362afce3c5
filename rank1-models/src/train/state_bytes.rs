//! A training state as one piece of memory, to be sent from rank to rank; files have a form of their own.

use serde::{Deserialize, Serialize};

use super::{Average, Best, EpochRecord, Pending, TrainState};
use crate::error::Error;
use crate::optimizer::Optimizer;
use crate::recipe::Recipe;

/// What is not a vector of parameters, and how long those are.
#[derive(Serialize, Deserialize)]
struct Header {
    seed: u64,
    steps: u64,
    finished: bool,
    kept: Option<Vec<usize>>,
    pending: Pending,
    history: Vec<EpochRecord>,
    /// Step and bits of the NLL.
    best: Option<(u64, u64)>,
    averaged_steps: Option<u64>,
    lengths: [usize; 5],
}

impl TrainState {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let none = &[][..];
        let best = self.best.as_ref().map_or(none, |best| &best.parameters);
        let average = self.average.as_ref().map_or(none, |average| &average.parameters);
        let vectors = [&self.parameters[..], &self.optimizer.first, &self.optimizer.second, best, average];
        let header = Header {
            seed: self.seed,
            steps: self.step(),
            finished: self.finished,
            kept: self.kept.clone(),
            pending: self.pending,
            history: self.history.clone(),
            best: self.best.as_ref().map(|best| (best.step, best.nll.to_bits())),
            averaged_steps: self.average.as_ref().map(|average| average.steps),
            lengths: vectors.map(<[f32]>::len),
        };
        let header = serde_json::to_vec(&header).expect("numbers and lists have a JSON form");
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        vectors.iter().for_each(|vector| bytes.extend(vector.iter().flat_map(|value| value.to_le_bytes())));
        bytes
    }

    /// # Errors
    /// [`Error::Ranks`] for bytes that are no state.
    pub(crate) fn from_bytes(bytes: &[u8], recipe: &Recipe) -> Result<Self, Error> {
        let unreadable = || Error::Ranks { reason: "a state did not come as it was sent".into() };
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(unreadable)?;
        let (header, mut rest) =
            rest.split_at_checked(u64::from_le_bytes(*length) as usize).ok_or_else(unreadable)?;
        let header: Header = serde_json::from_slice(header).map_err(|_| unreadable())?;
        let mut next = |length: usize| {
            let (vector, others) = rest.split_at_checked(4 * length).ok_or_else(unreadable)?;
            rest = others;
            let (words, _) = vector.as_chunks::<4>();
            Ok::<_, Error>(words.iter().map(|&word| f32::from_le_bytes(word)).collect::<Vec<_>>())
        };
        let [parameters, first, second, best, average] = header.lengths;
        let parameters = next(parameters)?;
        let mut optimizer = Optimizer::new(recipe.train.optimizer.clone(), 0);
        (optimizer.steps, optimizer.first, optimizer.second) = (header.steps, next(first)?, next(second)?);
        let (best, average) = (next(best)?, next(average)?);
        Ok(Self {
            seed: header.seed,
            parameters,
            optimizer,
            best: header.best.map(|(step, nll)| Best { step, nll: f64::from_bits(nll), parameters: best }),
            average: header.averaged_steps.map(|steps| Average { steps, parameters: average }),
            history: header.history,
            pending: header.pending,
            finished: header.finished,
            kept: header.kept,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::recipe::parse;

    #[test]
    fn a_state_comes_back_as_it_was() {
        let text = "name = \"t\"\nseed = 1\n[data]\nset = \"yacht\"\n[model]\nkind = \"mlp\"\nhidden = [2]\n[method]\nkind = \"deterministic\"\n\
                    [train]\nsteps = 5\n";
        let recipe = parse(text, &[]).unwrap();
        let mut optimizer = Optimizer::new(recipe.get().train.optimizer.clone(), 3);
        (optimizer.steps, optimizer.first) = (7, vec![0.5, -0.25, f32::MIN_POSITIVE]);
        let record = EpochRecord { epoch: 0.1, valid_nll: Some(1.0 / 3.0), ..EpochRecord::default() };
        let state = TrainState {
            seed: u64::MAX,
            parameters: vec![1.0, 2.0, 3.0],
            optimizer,
            best: Some(Best { step: 4, nll: f64::INFINITY, parameters: vec![9.0; 3] }),
            average: None,
            history: vec![record],
            pending: Pending { nll: 0.1, rows: 3 },
            finished: false,
            kept: Some(vec![0, 2]),
        };
        let bytes = state.to_bytes();
        assert_eq!(TrainState::from_bytes(&bytes, recipe.get()).unwrap(), state);
        let short = TrainState::from_bytes(&bytes[..bytes.len() - 1], recipe.get());
        assert!(matches!(short, Err(Error::Ranks { .. })));
    }
}
