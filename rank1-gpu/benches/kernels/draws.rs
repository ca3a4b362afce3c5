//! Draws of factors.

use criterion::Criterion;
use rank1_core::noise::NoiseStream;
use rank1_gpu::{Clip, Draw, DrawShape, NoiseKind, launch};

use super::Setting;

fn draw(kind: NoiseKind) -> Draw {
    Draw { clip: Some(Clip::REFERENCE), ..Draw::new(kind, NoiseStream::new(2020, 0, 0).key(), 1) }
}

/// `[K, B, D]`: the larger one does not fit a cache.
fn shapes(setting: &Setting) -> Vec<DrawShape> {
    let shape = |(n_members, n_examples, width)| DrawShape { n_members, n_examples, width };
    let chosen = setting.shapes(vec![(3, 17, 257)], vec![(4, 512, 4096), (4, 4096, 4096)]);
    chosen.into_iter().map(shape).collect()
}

fn sizes(DrawShape { n_members, n_examples, width }: DrawShape) -> String {
    format!("k{n_members}/b{n_examples}/d{width}/f32")
}

/// Has no unfused version: noise of another kernel would be another noise.
pub(super) fn draw_factors(setting: &Setting, c: &mut Criterion) {
    let client = &setting.client;
    let mut group = setting.group(c, "draw_factors");
    for shape in shapes(setting) {
        let n_parameters = shape.n_members * shape.width;
        let (location, scale) =
            (setting.waves("location", n_parameters), setting.waves("scale", n_parameters));
        let bytes = 4 * shape.n_members * shape.n_examples * shape.width + 8 * n_parameters;
        let sizes = sizes(shape);
        for kind in [NoiseKind::Normal, NoiseKind::Cauchy] {
            let name = format!("{kind:?}/{sizes}").to_lowercase();
            setting.time(&mut group, name, bytes, || {
                launch::draw_factors(client, &draw(kind), shape, &location, &scale).expect("shapes fit")
            });
        }
        setting.time_copy(&mut group, &sizes, bytes);
    }
    group.finish();
}
