//! Claims about every kernel, as functions of a client: the same for each runtime, instantiated by [`on_runtime`].

mod convolution;
mod drawn;
mod drawn_cases;
mod drawn_samples;
mod draws;
mod gradients;
mod halves;
mod layers;
mod library;
mod library_convolution;
mod likelihood;
mod linear;
mod oracle;
mod refusals;
mod stream;

pub(crate) use convolution::{
    convolution_arguments_that_do_not_fit_are_refused_by_name, convolutions_equal_the_host_at_every_shape,
    convolutions_equal_the_host_for_every_kind_of_layer, nan_pixels_reach_the_outputs_that_see_them_alone,
};
pub(crate) use drawn::{
    drawn_arguments_that_do_not_fit_are_refused_by_name, drawn_layers_equal_the_host_at_every_shape,
    drawn_layers_equal_the_host_for_every_kind_of_layer, nan_in_a_drawn_layer_stays_where_it_reaches,
    parts_change_sums_by_rounding_and_nothing_else, parts_on_the_library_agree_with_parts_on_our_tiles,
    some_members_and_examples_draw_what_they_have_in_the_whole,
};
pub(crate) use drawn_samples::{
    layers_of_several_samples_equal_the_host, samples_drawn_at_once_equal_the_host_with_their_gradients,
    samples_that_do_not_fit_are_refused_by_name,
};
pub(crate) use draws::{
    clipped_draws_end_on_the_bounds, device_normals_pass_a_kolmogorov_smirnov_test, draws_equal_the_host,
    draws_of_raw_scales_and_log_normal_draws_equal_the_host, draws_stored_in_halves_equal_the_host,
    nan_parameters_pass_through_a_clip, raw_scales_are_positive_and_exact_in_proportion,
    standard_noise_is_exact_to_a_few_units_of_f32,
};
pub(crate) use gradients::{
    gradients_of_draws_equal_the_host, gradients_of_draws_from_halves_equal_the_host,
    gradients_of_the_wrong_length_are_refused_by_name, gradients_repeat_bit_for_bit,
    long_sums_over_examples_equal_the_host, nan_gradients_reach_their_entry_unless_the_factor_was_cut,
};
pub(crate) use halves::{
    buffers_of_the_other_width_are_refused_by_name,
    halves_that_a_device_lacks_are_refused_by_name_everywhere, tf32_is_f32_where_nothing_is_a_product,
};
pub(crate) use library::{
    buffers_of_another_precision_are_refused_by_name, engines_agree_where_the_library_is_chosen,
    library_maps_and_gradients_equal_the_host, library_maps_whose_factors_add_equal_the_host,
    library_maps_with_axes_of_one_equal_the_host, nan_stays_in_its_row_on_the_library,
    precisions_and_engines_that_do_not_exist_are_refused,
};
pub(crate) use library_convolution::{
    convolutions_of_another_precision_are_refused_by_name, library_convolutions_and_gradients_equal_the_host,
    library_convolutions_equal_the_host_at_every_shape,
    library_convolutions_whose_factors_add_equal_the_host,
    nan_pixels_stay_under_their_windows_on_the_library, weight_gradients_in_parts_equal_those_of_the_tiles,
};
pub(crate) use likelihood::{
    a_row_of_thousands_of_classes_equals_the_host, categorical_losses_and_gradients_equal_the_host,
    empty_and_oversized_outputs_are_refused, extreme_logits_stay_finite, foreign_outputs_are_refused_by_name,
    labels_out_of_range_give_nan_to_their_example_alone, losses_alone_are_those_beside_gradients,
    losses_and_gradients_of_halves_equal_the_host, losses_of_misfitting_buffers_are_refused_by_name,
    nan_and_impossible_targets_stay_in_their_example, scalar_losses_and_gradients_equal_the_host,
};
pub(crate) use linear::{
    gradients_of_factors_that_are_zero_equal_the_host, gradients_summed_in_parts_repeat_to_the_bit,
    linear_arguments_of_the_wrong_length_are_refused_by_name, linear_gradients_equal_the_host_at_every_shape,
    linear_gradients_equal_the_host_for_every_kind_of_layer, linear_outputs_equal_the_host_at_every_shape,
    linear_outputs_equal_the_host_for_every_kind_of_layer, nan_gradients_reach_everything_they_touch,
    nan_reaches_the_outputs_of_its_row_alone, what_fits_is_told_before_there_are_buffers,
};
pub(crate) use refusals::{
    buffers_of_the_wrong_length_are_refused_by_name, empty_axes_are_refused,
    more_than_the_device_can_hold_is_refused,
};
pub(crate) use stream::{integer_stream_equals_the_host_bit_for_bit, words_do_not_depend_on_the_grid};

use rank1_gpu::{Clip, Draw, DrawShape, Family, NoiseKind, ScaleParameter};

/// Set to anything, this turns a missing device from a skipped suite into a failed one.
const REQUIRED: &str = "RANK1_REQUIRE_DEVICE";

pub(crate) const KINDS: [NoiseKind; 3] = [NoiseKind::Uniform, NoiseKind::Normal, NoiseKind::Cauchy];
pub(crate) const KEY: [u32; 2] = [0x0123_4567, 0x89ab_cdef];

/// Odd primes, each axis at 1, blocks of 4 with every remainder, and more than one cube.
pub(crate) const SHAPES: [(usize, usize, usize); 9] =
    [(3, 5, 7), (1, 5, 7), (3, 1, 7), (3, 5, 1), (1, 1, 1), (1, 1, 11), (17, 5, 13), (2, 3, 8), (5, 7, 131)];

pub(crate) fn shape((n_members, n_examples, width): (usize, usize, usize)) -> DrawShape {
    DrawShape { n_members, n_examples, width }
}

pub(crate) fn draw(kind: NoiseKind, clip: Option<Clip>) -> Draw {
    Draw { clip, first_example: 41, first_member: 29, ..Draw::new(kind, KEY, 17) }
}

/// A draw for each of `n` samples, with streams that have nothing in common.
pub(crate) fn samples_of(draw: Draw, n: usize) -> Vec<Draw> {
    let key = |s: usize| [draw.key[0] ^ (0x9e37 * s as u32), draw.key[1] + 5 * s as u32];
    (0..n).map(|s| Draw { key: key(s), ..draw }).collect()
}

/// Locations around one, scales in (0, 1), and rows of both signs: no two entries alike.
pub(crate) fn parameters(shape: DrawShape) -> (Vec<f32>, Vec<f32>) {
    let n = shape.n_members * shape.width;
    let location = (0..n).map(|i| 1.0 + (0.37 * i as f32).sin()).collect();
    let scale = (0..n).map(|i| 0.5 + 0.4 * (0.73 * i as f32).cos()).collect();
    (location, scale)
}

/// Inputs and gradients of both signs, no two neighbors alike.
pub(crate) fn waves(n: usize) -> Vec<f32> {
    (0..n).map(|i| 2.0 * (1.1 * i as f32 + 0.3).sin()).collect()
}

/// Every pair of a family, a kind of scale and a clip or none; the bounds cut about half of these entries.
pub(crate) fn forms(kind: NoiseKind) -> [Draw; 4] {
    use Family::{LocationScale, LogNormal};
    use ScaleParameter::{Positive, Softplus};
    let clip = Clip::new(0.75, 2.5).ok();
    [
        (LocationScale, Positive, clip),
        (LocationScale, Softplus, None),
        (LogNormal, Positive, None),
        (LogNormal, Softplus, clip),
    ]
    .map(|(family, scale, clip)| Draw { family, scale, ..draw(kind, clip) })
}

/// Equality within 1e-5 (1 + |expected|), entry by entry.
#[track_caller]
pub(crate) fn assert_close(got: &[f32], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (at, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(got) - expected).abs();
        assert!(error <= 1e-5 * (1.0 + expected.abs()), "{what}, entry {at}: {got} is not {expected}");
    }
}

/// Runs a claim on a device, or says that it was skipped because there is none.
pub(crate) fn with_device(
    device: Result<cubecl::Device, cubecl::device::DeviceUnavailable>,
    claim: fn(&cubecl::client::Client),
) {
    match device {
        Ok(device) => claim(&device.client()),
        Err(error) if std::env::var_os(REQUIRED).is_some() => panic!("{REQUIRED} is set and {error}"),
        Err(error) => skip(error),
    }
}

/// Says why a test ends without having tested anything.
#[allow(clippy::print_stderr)]
pub(crate) fn skip(reason: impl std::fmt::Display) {
    eprintln!("SKIPPED, nothing was tested: {reason}");
}

/// Instantiates the whole suite for the device that an expression finds.
#[macro_export]
macro_rules! on_runtime {
    ($device:expr) => {
        $crate::on_runtime! { $device;
            integer_stream_equals_the_host_bit_for_bit,
            convolutions_equal_the_host_for_every_kind_of_layer,
            convolutions_equal_the_host_at_every_shape,
            nan_pixels_reach_the_outputs_that_see_them_alone,
            convolution_arguments_that_do_not_fit_are_refused_by_name,
            words_do_not_depend_on_the_grid,
            draws_equal_the_host,
            draws_of_raw_scales_and_log_normal_draws_equal_the_host,
            draws_stored_in_halves_equal_the_host,
            raw_scales_are_positive_and_exact_in_proportion,
            standard_noise_is_exact_to_a_few_units_of_f32,
            clipped_draws_end_on_the_bounds,
            nan_parameters_pass_through_a_clip,
            device_normals_pass_a_kolmogorov_smirnov_test,
            gradients_of_draws_equal_the_host,
            long_sums_over_examples_equal_the_host,
            gradients_of_draws_from_halves_equal_the_host,
            gradients_repeat_bit_for_bit,
            nan_gradients_reach_their_entry_unless_the_factor_was_cut,
            gradients_of_the_wrong_length_are_refused_by_name,
            halves_that_a_device_lacks_are_refused_by_name_everywhere,
            buffers_of_the_other_width_are_refused_by_name,
            tf32_is_f32_where_nothing_is_a_product,
            buffers_of_the_wrong_length_are_refused_by_name,
            empty_axes_are_refused,
            more_than_the_device_can_hold_is_refused,
            linear_outputs_equal_the_host_for_every_kind_of_layer,
            linear_outputs_equal_the_host_at_every_shape,
            linear_gradients_equal_the_host_for_every_kind_of_layer,
            linear_gradients_equal_the_host_at_every_shape,
            gradients_of_factors_that_are_zero_equal_the_host,
            gradients_summed_in_parts_repeat_to_the_bit,
            nan_reaches_the_outputs_of_its_row_alone,
            nan_gradients_reach_everything_they_touch,
            linear_arguments_of_the_wrong_length_are_refused_by_name,
            what_fits_is_told_before_there_are_buffers,
            drawn_layers_equal_the_host_for_every_kind_of_layer,
            drawn_layers_equal_the_host_at_every_shape,
            layers_of_several_samples_equal_the_host,
            samples_drawn_at_once_equal_the_host_with_their_gradients,
            samples_that_do_not_fit_are_refused_by_name,
            parts_change_sums_by_rounding_and_nothing_else,
            parts_on_the_library_agree_with_parts_on_our_tiles,
            some_members_and_examples_draw_what_they_have_in_the_whole,
            nan_in_a_drawn_layer_stays_where_it_reaches,
            drawn_arguments_that_do_not_fit_are_refused_by_name,
            library_maps_and_gradients_equal_the_host,
            library_maps_whose_factors_add_equal_the_host,
            library_maps_with_axes_of_one_equal_the_host,
            engines_agree_where_the_library_is_chosen,
            nan_stays_in_its_row_on_the_library,
            precisions_and_engines_that_do_not_exist_are_refused,
            buffers_of_another_precision_are_refused_by_name,
            library_convolutions_and_gradients_equal_the_host,
            library_convolutions_whose_factors_add_equal_the_host,
            library_convolutions_equal_the_host_at_every_shape,
            weight_gradients_in_parts_equal_those_of_the_tiles,
            nan_pixels_stay_under_their_windows_on_the_library,
            convolutions_of_another_precision_are_refused_by_name,
            categorical_losses_and_gradients_equal_the_host,
            scalar_losses_and_gradients_equal_the_host,
            losses_and_gradients_of_halves_equal_the_host,
            a_row_of_thousands_of_classes_equals_the_host,
            losses_alone_are_those_beside_gradients,
            extreme_logits_stay_finite,
            nan_and_impossible_targets_stay_in_their_example,
            labels_out_of_range_give_nan_to_their_example_alone,
            losses_of_misfitting_buffers_are_refused_by_name,
            empty_and_oversized_outputs_are_refused,
        }
    };
    ($device:expr; $($claim:ident,)*) => {
        $(
            #[test]
            fn $claim() {
                $crate::suite::with_device($device, $crate::suite::$claim);
            }
        )*
    };
}
