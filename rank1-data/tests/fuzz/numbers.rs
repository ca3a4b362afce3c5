//! Plain lists: the table and index files of a UCI set, the label files of ImageNet.

use rank1_data::UciSet;
use rank1_data::image::{ValLabels, imagenet_val};

use crate::harness::{Entry, Reader};
use crate::place::{Place, text};

const MOST: usize = 16 << 20;

pub(crate) fn uci() -> Reader<'static> {
    let files = [
        ("data.txt", "1 2 3.5\n4 5 6\n\n7 8 9\n-1e3 0 2\n"),
        ("index_features.txt", "0\n1\n"),
        ("index_target.txt", "2\n"),
        ("index_train_0.txt", "0 1\n2\n"),
        ("index_test_0.txt", "3\n"),
    ];
    let place = Place::new();
    let name = |file: &str| format!("standard/yacht/data/{file}");
    files.iter().for_each(|(file, text)| drop(place.put(&name(file), text.as_bytes())));
    Reader {
        name: "uci",
        most_bytes: MOST,
        entries: files.iter().map(|(file, text)| Entry::new(file, *text)).collect(),
        words: &[],
        mend: None,
        read: Box::new(move |input| {
            let (file, before) = files[input.entry];
            place.with(&name(file), input.bytes, before.as_bytes(), |_| {
                let set =
                    UciSet::open("yacht", Some(place.path())).map_err(text)?.split(0, false).map_err(text)?;
                assert!(set.train.inputs.iter().all(|value| value.is_finite()));
                Ok(())
            })
        }),
    }
}

/// Lists of labels beside a folder of three images, which are not looked at.
pub(crate) fn imagenet_labels() -> Reader<'static> {
    let files = [
        ("ids/val_labels.txt", "n01440764\nn01443537\nn01440764\n"),
        ("names/val_labels.txt", "b.JPEG n01443537\nval/a.JPEG n01440764\nc.JPEG n01440764\n"),
        (
            "table/LOC_val_solution.csv",
            "ImageId,PredictionString\na,n01440764 1 2 3 4\nb,n01443537 1 2\nc,n01440764\n",
        ),
        ("devkit/ILSVRC2012_validation_ground_truth.txt", "2\n1\n2\n"),
        ("devkit/ILSVRC2012_synsets.txt", "n02119789\nn02100735\nn01440764\n"),
    ];
    let place = Place::new();
    ["a", "b", "c"].iter().for_each(|name| drop(place.put(&format!("val/{name}.JPEG"), b"")));
    files.iter().for_each(|(file, text)| drop(place.put(file, text.as_bytes())));
    Reader {
        name: "imagenet_labels",
        most_bytes: MOST,
        entries: files.iter().map(|(file, text)| Entry::new(file, *text)).collect(),
        words: &["n01440764", "ImageId,PredictionString", "1", "3", "1000"],
        mend: None,
        read: Box::new(move |input| {
            let (file, before) = files[input.entry];
            place.with(file, input.bytes, before.as_bytes(), |path| {
                let labels = ValLabels::find(path.parent().unwrap()).unwrap();
                imagenet_val(&place.path().join("val"), Some(&labels)).map(drop).map_err(text)
            })
        }),
    }
}
