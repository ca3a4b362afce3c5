//! Values of the keys of images; other keys of `[data]` are checked in [`super::check`].

use super::DataRecipe;
use super::check::Values;

/// Keys of a user's own images and of images that are cropped while they are read.
pub(super) fn values(d: &DataRecipe, v: &mut Values<'_>) {
    let own = d.set == "images";
    let expected = "the path of a folder or archive, because data.set is `images`";
    v.need(!own || d.file.is_some(), "data.file", expected, "none");
    for (key, given) in [("data.file", d.file.is_some()), ("data.test_fraction", d.test_fraction.is_some())] {
        let expected = "data.set = \"csv\" or \"images\" beside this key";
        v.need(!given || own || d.set == "csv", key, expected, format!("`{}`", d.set));
    }
    let expected = "data.set = \"images\" beside this key";
    v.need(own || d.bad_images.is_none(), "data.bad_images", expected, format!("`{}`", d.set));
    v.need(own || d.formats.is_empty(), "data.formats", expected, format!("`{}`", d.set));
    let (key, streamed) = ("data.image_size", own || d.set == "imagenet");
    let expected = "data.set = \"imagenet\" or \"images\" beside this key";
    v.need(streamed || d.image_size.is_none(), key, expected, format!("`{}`", d.set));
    let published = !streamed || (d.split == 0 && !d.gap);
    v.need(published, "data.split", "no split beside images, which have one", d.split);
    if let Some(size) = d.image_size {
        v.need((8..=1024).contains(&size), key, "a side of 8 to 1024 pixels", size);
    }
    if d.cropped_size().is_some() {
        let expected = "no such table: images that are cropped to one size get random crops of their own";
        v.need(d.augment.is_none(), "data.augment", expected, "one");
    }
}
