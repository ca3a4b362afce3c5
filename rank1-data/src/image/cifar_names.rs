//! The class names of CIFAR-10 and CIFAR-100 in the order of their labels, for copies that come without them.
//!
//! Not used where a set brings its own names.

/// CIFAR-10.
pub(super) const TEN: &str = "airplane automobile bird cat deer dog frog horse ship truck";

/// CIFAR-100, fine classes; alphabetical.
pub(super) const HUNDRED: &str = "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus \
    butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur \
    dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster \
    man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree \
    plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail \
    snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip \
    turtle wardrobe whale willow_tree wolf woman worm";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_ten_and_a_hundred_names_in_alphabetical_order() {
        for (names, n) in [(TEN, 10), (HUNDRED, 100)] {
            let names: Vec<&str> = names.split_whitespace().collect();
            assert_eq!(names.len(), n);
            assert!(names.is_sorted());
        }
    }
}
