//! Clinical sets: the challenge of PhysioNet, and tables in the form of MIMIC-III.

use std::fs;

use rank1_data::clinical::mimic::{BadTimes, EventTable};
use rank1_data::{MimicOptions, MimicSet, Physionet2012, PhysionetScaler};

use self::written::{TWO, Tables};
use crate::corpus::gzip;
use crate::harness::{Entry, Reader};
use crate::place::{Place, text};

#[allow(dead_code, reason = "the tests of the reader use the rest")]
#[path = "../mimic/tables.rs"]
mod written;

/// Two or three stays, whatever their files say.
const MOST: usize = 32 << 20;

pub(crate) fn physionet() -> Reader<'static> {
    let general = |id: u32| {
        format!(
            "Time,Parameter,Value\n00:00,RecordID,{id}\n00:00,Age,61\n00:00,Gender,1\n00:00,Height,-1\n00:00,ICUType,3\n\
             00:00,Weight,70\n"
        )
    };
    let files = [
        (
            "set-a/11.txt",
            general(11) + "03:50,HR,80\n03:10,HR,70\n03:05,Urine,40\n47:59,HR,99\n48:00,HR,1\n04:00,pH,735\n",
        ),
        ("set-a/13.txt", general(13) + "01:10,HR,90\n04:00,Temp,\n04:00,HR,NaN\n"),
        (
            "Outcomes-a.txt",
            "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death\n11,6,1,5,-1,0\n13,6,1,5,-1,1\n"
                .into(),
        ),
    ];
    let place = Place::new();
    files.iter().for_each(|(name, text)| drop(place.put(name, text.as_bytes())));
    // The same records in an archive.
    let mut archive = ::tar::Builder::new(Vec::new());
    for (name, text) in &files[..2] {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    let archive = archive.into_inner().unwrap();
    place.put("packed/Outcomes-a.txt", files[2].1.as_bytes());
    let mut entries: Vec<Entry> =
        files.iter().map(|(name, text)| Entry::new(name, text.as_bytes())).collect();
    entries.push(Entry::new("set-a.tar", archive.clone()));
    entries.push(Entry::new("set-a.tar.gz", gzip(&archive)));
    Reader {
        name: "physionet",
        most_bytes: MOST,
        entries,
        words: &[
            "HR", "Urine", "Temp", "pH", "Height", "Weight", "RecordID", "NaN", "inf", "-1", "48:00",
            "00:60", "99:99",
        ],
        mend: None,
        read: Box::new(move |input| {
            let read = |root| {
                let set = Physionet2012::open(root, 'a').map_err(text)?;
                let rows: Vec<usize> = (0..set.len()).collect();
                let scaler = PhysionetScaler::fit(&set, &rows).map_err(text)?;
                let split = scaler.apply(&set).map_err(text)?;
                assert!(split.inputs.iter().all(|value| value.is_finite()));
                Ok(())
            };
            match files.get(input.entry) {
                Some((name, before)) => {
                    place.with(name, input.bytes, before.as_bytes(), |_| read(place.path()))
                }
                None => {
                    let name = ["packed/set-a.tar", "packed/set-a.tar.gz"][input.entry - files.len()];
                    let path = place.put(name, input.bytes);
                    let got = read(path.parent().unwrap());
                    fs::remove_file(path).unwrap();
                    got
                }
            }
        }),
    }
}

/// Two patients with an event in every table.
fn tables() -> Vec<(&'static str, String)> {
    let mut tables = Tables::new(&TWO);
    for (time, value) in [("12:40:00", "90"), ("12:10:00", "70"), ("14:00:00", "60")] {
        tables.chart(3, 211, &format!("2150-03-01 {time}"), value, "0");
    }
    tables.push("CHARTEVENTS", "1,3,1003,2003,184,2150-03-01 14:30:00,,,\"Spontaneously\",,,,,,");
    tables.push("LABEVENTS", "1,5,,50912,2150-03-01 15:59:59,\"1.5\",1.5,\"mg/dL\",\"abnormal\"");
    tables.push("OUTPUTEVENTS", "1,5,1005,2005,2150-03-01 10:00:00,40055,100,\"ml\",,,,,");
    tables.push(
        "INPUTEVENTS_MV",
        "1,5,1005,2005,2150-03-03 09:00:00,2150-03-03 11:00:00,225158,80,\"ml\",,,,,1,1,\"a\",\"b\",\"c\",\"d\",70,100,\"ml\",0,0,0,\
         \"FinishedRunning\",,,,80,1",
    );
    tables.push("INPUTEVENTS_CV", "1,5,1005,2005,2150-03-01 10:30:00,30013,20,\"ml\",,,,,,,,,,,,,,");
    tables.push(
        "NOTEEVENTS",
        "1,3,1003,2150-03-01,2150-03-01 11:15:00,,\"Nursing\",\"Report\",,,\"Pt stable,\nSTABLE after \"\"fluids\"\".\"",
    );
    tables.texts
}

pub(crate) fn mimic() -> Reader<'static> {
    use EventTable::{ChartEvents, InputEventsCv, InputEventsMv, LabEvents, NoteEvents, OutputEvents};
    let texts = tables();
    let place = Place::new();
    let name = |table: &str| format!("{table}.csv");
    texts.iter().for_each(|(table, text)| drop(place.put(&name(table), text.as_bytes())));
    let labels = written::D_LABITEMS.to_owned() + "1,50912,\"Creatinine\",\"Blood\",\"Chem\",\"x\"\n";
    place.put("D_LABITEMS.csv", labels.as_bytes());
    Reader {
        name: "mimic",
        most_bytes: MOST,
        entries: texts.iter().map(|(table, text)| Entry::new(table, text.as_bytes())).collect(),
        words: &[
            "2150-03-01 10:00:00",
            "0000-00-00",
            "9999-12-31 23:59:59",
            "2150-02-30 25:61:61",
            "",
            "NaN",
            "1e308",
            "\"\"",
            ",,",
        ],
        mend: None,
        read: Box::new(move |input| {
            let options = MimicOptions {
                min_count: 1,
                fractions: [1.0, 0.0, 0.0],
                tables: vec![ChartEvents, LabEvents, InputEventsCv, InputEventsMv, OutputEvents, NoteEvents],
                bad_times: if input.variation >> 40 & 1 == 1 { BadTimes::Skip } else { BadTimes::Refuse },
                bin_hours: if input.variation >> 41 & 1 == 1 { 24 } else { 1 },
                ..MimicOptions::default()
            };
            let (table, before) = &texts[input.entry];
            place.with(&name(table), input.bytes, before.as_bytes(), |_| {
                let set = MimicSet::read(place.path(), &options, &mut |_| {}).map_err(text)?;
                assert!(set.train.split.inputs.iter().all(|value| value.is_finite()));
                Ok(())
            })
        }),
    }
}
