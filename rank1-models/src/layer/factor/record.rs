//! A factor as a Burn module: its parameters, below the name of its posterior in every path.
//!
//! By hand because the derived module names paths by fields alone: a record of a normal factor would load into a Cauchy one.

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param,
};
use burn::tensor::{Device, Tensor};
use rank1_priors::LocationDomain;

use super::Factor;

const CONTAINER: &str = "Struct:Factor";

/// The part of a factor that is trained.
#[derive(Module, Debug)]
struct Parameters {
    location: Param<Tensor<2>>,
    raw_scale: Option<Param<Tensor<2>>>,
}

impl Factor {
    /// What the numbers of a record mean: the family, and that positive locations of a point mass are unconstrained numbers.
    fn posterior(&self) -> &'static str {
        match (self.domain, self.family.law().folded) {
            (LocationDomain::Positive, false) => "positive_point_mass",
            _ => self.family.name(),
        }
    }

    fn parameters(&self) -> Parameters {
        Parameters { location: self.location.clone(), raw_scale: self.raw_scale.clone() }
    }

    fn change(self, change: impl FnOnce(Parameters) -> Parameters) -> Self {
        let Self { location, raw_scale, family, granularity, clip, domain } = self;
        let Parameters { location, raw_scale } = change(Parameters { location, raw_scale });
        Self { location, raw_scale, family, granularity, clip, domain }
    }
}

impl Module for Factor {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        visitor.enter_module(self.posterior(), CONTAINER);
        self.parameters().visit(visitor);
        visitor.exit_module(self.posterior(), CONTAINER);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let posterior = self.posterior();
        mapper.enter_module(posterior, CONTAINER);
        let mapped = self.change(|parameters| parameters.map(mapper));
        mapper.exit_module(posterior, CONTAINER);
        mapped
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        self.parameters().collect_devices(devices)
    }

    fn to_device(self, device: &Device) -> Self {
        self.change(|parameters| parameters.to_device(device))
    }

    fn fork(self, device: &Device) -> Self {
        self.change(|parameters| parameters.fork(device))
    }

    fn valid(&self) -> Self {
        self.clone().change(|parameters| parameters.valid())
    }

    fn train(self) -> Self {
        self.change(Module::train)
    }

    fn materialize(self) -> Self {
        self.change(Module::materialize)
    }
}

impl ModuleDisplayDefault for Factor {
    fn content(&self, content: Content) -> Option<Content> {
        content
            .set_top_level_type("Factor")
            .add("location", &self.location)
            .add("raw_scale", &self.raw_scale)
            .add_debug_attribute("family", &self.family)
            .add_debug_attribute("granularity", &self.granularity)
            .add_debug_attribute("clip", &self.clip)
            .add_debug_attribute("domain", &self.domain)
            .optional()
    }

    fn num_params(&self) -> usize {
        Module::num_params(self)
    }
}

impl ModuleDisplay for Factor {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rank1_priors::{PosteriorFamily, PriorSpec};

    use super::*;
    use crate::layer::{FactorConfig, LayerStreams, Rank1Linear, Rank1LinearConfig};

    fn layer(family: PosteriorFamily, seed: u64) -> Rank1Linear {
        let factor = Some(FactorConfig { family, ..FactorConfig::default() });
        let config = Rank1LinearConfig { input_factor: factor, ..Rank1LinearConfig::new(5, 2, 3) };
        config.init(&mut LayerStreams::new(seed, &Device::flex())).unwrap()
    }

    #[test]
    fn a_record_of_another_family_is_refused_by_name() {
        let record = layer(PosteriorFamily::Normal, 1).into_record();
        let own = layer(PosteriorFamily::Normal, 2).try_load_record(record.clone()).unwrap();
        let values = |layer: &Rank1Linear| layer.input_factor.as_ref().unwrap().location.val().into_data();
        values(&own).assert_eq(&values(&layer(PosteriorFamily::Normal, 1)), true);
        let error = layer(PosteriorFamily::Cauchy, 2).try_load_record(record).unwrap_err().to_string();
        assert!(error.contains("input_factor.cauchy.location"), "{error}");
    }

    #[test]
    fn a_record_of_positive_locations_does_not_load_into_plain_ones() {
        let point = FactorConfig { family: PosteriorFamily::PointMass, ..FactorConfig::default() };
        let device = Device::flex();
        let positive = point.under(PriorSpec::HalfCauchy { scale: 1.0 }).init(3, 5, 1, &device).unwrap();
        let plain = point.init(3, 5, 1, &device).unwrap();
        assert!(plain.clone().try_load_record(positive.clone().into_record()).is_err());
        assert!(positive.clone().try_load_record(positive.into_record()).is_ok());
    }

    #[test]
    fn a_factor_is_trained_moved_and_shown_as_every_module() {
        let device = Device::flex().autodiff();
        let factor = FactorConfig::default().init(3, 5, 1, &device).unwrap();
        assert_eq!(Module::num_params(&factor), 2 * 15);
        let plain = factor.valid();
        assert!(!plain.location.val().is_require_grad());
        assert!(plain.train().location.val().is_require_grad());
        assert!(factor.clone().fork(&device).location.val().is_require_grad());
        assert_eq!(factor.devices().len(), 1);
        let shown = factor.format(Default::default());
        assert!(shown.contains("Normal") && shown.contains("raw_scale"), "{shown}");
    }
}
