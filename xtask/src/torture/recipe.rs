//! Small recipes that each save in another way: one network, an ensemble on two threads, early stopping.

/// A recipe and the threads it is trained with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) name: &'static str,
    method: &'static str,
    train: &'static str,
    pub(super) threads: &'static str,
    /// Epochs over those of the first recipe, so that all take about as long.
    share: f64,
}

pub(super) const SAMPLES: [Sample; 3] = [
    Sample {
        name: "plain",
        method: "kind = \"rank1\"\nmembers = 2",
        train: "checkpoint_every = 7",
        threads: "1",
        share: 1.0,
    },
    Sample {
        name: "ensemble",
        method: "kind = \"ensemble\"\nnetworks = 3\nof = { kind = \"rank1\", members = 2 }",
        train: "checkpoint_every = 3",
        threads: "2",
        share: 0.4,
    },
    Sample {
        name: "stopping",
        method: "kind = \"rank1\"\nmembers = 2",
        train: "checkpoint_every = 1\nearly_stopping = { patience = 1000, every = 4 }",
        threads: "1",
        share: 0.3,
    },
];

impl Sample {
    /// The recipe as a file has it; yacht is embedded in the program.
    pub(super) fn text(&self, epochs: usize) -> String {
        let Self { name, method, train, share, .. } = self;
        let epochs = ((epochs as f64 * share) as usize).max(2);
        format!(
            "name = \"torture/{name}\"\nseed = 5\n[data]\nset = \"yacht\"\n[model]\nkind = \"mlp\"\nhidden = [16]\n[method]\n{method}\n\
             [train]\nepochs = {epochs}\n{train}\nbatch_size = 32\noptimizer = {{ kind = \"adam\", learning_rate = 0.01 }}\nclip_norm = 1.0\n\
             [predict]\nsamples = 4\n"
        )
    }
}
