//! TabM networks of this workspace for the cases of the files, and their parameters by the package's names.

use std::ops::Range;

use rank1_models::method::{BatchEnsemble, Method};
use rank1_models::network::{
    Body, FactorStart, InputShape, Network, NetworkShape, NumberEmbedding, TableColumns, TabmForm,
};
use rank1_models::params::ParamSpec;

use crate::json::{Outcome, Record};
use crate::number_embedding::Kind;
use crate::stored::{Order, Stored};
use crate::table::Table;

/// An architecture with the sizes of its hidden part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Architecture {
    pub(crate) form: TabmForm,
    width: usize,
    blocks: usize,
    embedding: NumberEmbedding,
}

impl Architecture {
    /// As the case says; nothing where our networks have no such parts.
    pub(crate) fn read(record: &Record<'_>, table: &Table) -> Outcome<Option<Self>> {
        let form = match record.text("arch_type")? {
            "tabm" => TabmForm::Full,
            "tabm-mini" => TabmForm::Mini,
            "tabm-packed" => TabmForm::Packed,
            other => return record.fault("arch_type", format!("is {other}, which is unknown")),
        };
        let (width, blocks) = (record.count("d_block")?, record.count("n_blocks")?);
        let is_relu = record.text("activation")? == "ReLU";
        let embedding = table.number_embedding().filter(|_| is_relu);
        Ok(embedding.map(|embedding| Self { form, width, blocks, embedding }))
    }

    /// The network of so many members, whose units are never dropped.
    pub(crate) fn network(&self, record: &Record<'_>, table: &Table, members: usize) -> Outcome<Network> {
        let frequencies = match table.embedding.as_ref().map(|embedding| &embedding.kind) {
            Some(&Kind::Periodic { n_frequencies, .. }) => n_frequencies,
            _ => 1,
        };
        let body = Body::Tabm {
            form: self.form,
            width: self.width,
            blocks: self.blocks,
            dropout: 0.0,
            embedding: self.embedding,
            embedding_width: table.embedding.as_ref().map_or(1, |embedding| embedding.d),
            bins: 2,
            frequencies,
            category_embedding: None,
            columns: table.columns.clone(),
        };
        let input = InputShape::Columns { width: table.columns.width() };
        let shape = NetworkShape { input, body, outputs: table.d_out, likelihood: table.likelihood };
        let method = Method::BatchEnsemble(BatchEnsemble { members, sign_init: 1.0 });
        record.ok(Network::new(shape, &method))
    }

    /// Widths of the chunks that the first factor on inputs starts with. A form without that factor has the same features, so
    /// that they are asked of one that has it.
    pub(crate) fn chunks(&self, record: &Record<'_>, table: &Table) -> Outcome<Vec<f64>> {
        let network = Self { form: TabmForm::Mini, ..*self }.network(record, table, table.k)?;
        let first = network.layers.first().and_then(|layer| layer.input_factor.trained());
        match first.map(|factor| &factor.start) {
            Some(FactorStart::Chunks { widths, .. }) => Ok(widths.iter().map(|&w| w as f64).collect()),
            _ => record.fault("d_features", "has no counterpart in our network"),
        }
    }

    /// Name of each trained parameter in our network, and where the file has it.
    pub(crate) fn parameters(&self, table: &Table, network: &Network) -> Vec<(String, Stored)> {
        let (k, width) = (table.k, self.width);
        let mut parameters = Vec::new();
        if let Some(embedding) = &table.embedding {
            let named = embedding.parameters.iter();
            parameters.extend(named.map(|p| (format!("numbers.{}", p.ours), p.stored.clone())));
        }
        for (block, layer) in network.layers.iter().take(self.blocks).enumerate() {
            let d_in = layer.d_in;
            let mut push = |part: &str, key: String, shape: &[usize], order| {
                parameters.push((format!("block{block}.{part}"), Stored::new(key, shape, order)));
            };
            let key = |name: &str| format!("backbone.blocks.{block}.0.{name}");
            match self.form {
                TabmForm::Packed => push("weight", key("weight"), &[k, d_in, width], Order::Same),
                _ => push("weight", key("weight"), &[width, d_in], Order::Transposed),
            }
            match self.form {
                TabmForm::Full => {
                    push("input_factor.location", key("r"), &[k, d_in], Order::Same);
                    push("output_factor.location", key("s"), &[k, width], Order::Same);
                }
                TabmForm::Mini if block == 0 => {
                    let affine = "backbone.affine.weight".to_owned();
                    push("input_factor.location", affine, &[k, d_in], Order::Same);
                }
                TabmForm::Mini | TabmForm::Packed => {}
            }
            match self.form {
                TabmForm::Mini => push("bias", key("bias"), &[width], Order::Same),
                _ => push("bias", key("bias"), &[k, width], Order::Same),
            }
        }
        let last = network.layers.last().map_or(0, |head| head.d_in);
        let head = [("weight", vec![k, last, table.d_out]), ("bias", vec![k, table.d_out])];
        for (part, shape) in head {
            let stored = Stored::new(format!("output.{part}"), &shape, Order::Same);
            parameters.push((format!("head.{part}"), stored));
        }
        parameters
    }
}

/// A network of heads only: a matrix for each member, on numbers as they are.
pub(crate) fn heads_only(width: usize) -> Body {
    Body::Tabm {
        form: TabmForm::Packed,
        width: 1,
        blocks: 0,
        dropout: 0.0,
        embedding: NumberEmbedding::None,
        embedding_width: 1,
        bins: 2,
        frequencies: 1,
        category_embedding: None,
        columns: TableColumns::numbers(width),
    }
}

/// The flat parameters of our network, and nothing of it without a value.
pub(crate) fn flat(
    record: &Record<'_>,
    params: &Record<'_>,
    network: &Network,
    parameters: &[(String, Stored)],
    raw_noise: f64,
) -> Outcome<Vec<f64>> {
    let mut flat = vec![f64::NAN; network.layout.len()];
    for (name, stored) in parameters {
        let values = stored.read(params)?;
        let Some(range) = range(network, name, values.len()) else {
            return record.fault("params", format!("hold another `{}` than our `{name}`", stored.key));
        };
        flat[range].copy_from_slice(&values);
    }
    if let Some(id) = network.noise {
        network.layout.slice_mut(&mut flat, id).fill(raw_noise);
    }
    match network.layout.specs().iter().find(|spec| flat[spec.range.clone()].iter().any(|v| v.is_nan())) {
        Some(spec) => record.fault("params", format!("lack our `{}`", spec.name)),
        None => Ok(flat),
    }
}

/// The place of a parameter of this name and size.
pub(crate) fn range(network: &Network, name: &str, len: usize) -> Option<Range<usize>> {
    let spec = network.layout.specs().iter().find(|spec| spec.name == name)?;
    (spec.range.len() == len).then(|| spec.range.clone())
}

/// The places, among the parameters of all members, of what a network of one member reads: all of a shared parameter, and the
/// member's part of the others.
pub(crate) fn member_places(whole: &Network, one: &Network, member: usize) -> Vec<usize> {
    let specs = whole.layout.specs().iter().zip(one.layout.specs());
    let places = |(whole, one): (&ParamSpec, &ParamSpec)| {
        assert_eq!(whole.name, one.name, "networks of one plan have the same parameters");
        let len = one.range.len();
        let shift = if whole.range.len() == len { 0 } else { member * len };
        whole.range.start + shift..whole.range.start + shift + len
    };
    specs.flat_map(places).collect()
}
