//! Tables in the published format, written by the tests.
//!
//! Not for assertions about what the reader makes of them.

use std::fs;
use std::path::Path;

use rank1_data::clinical::mimic::MimicPart;
use rank1_data::{ClinicalError, Error, MimicOptions, MimicSet};
use tempfile::TempDir;

pub(crate) const PATIENTS: &str =
    "\"ROW_ID\",\"SUBJECT_ID\",\"GENDER\",\"DOB\",\"DOD\",\"DOD_HOSP\",\"DOD_SSN\",\"EXPIRE_FLAG\"\n";
pub(crate) const ADMISSIONS: &str = "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"ADMITTIME\",\"DISCHTIME\",\"DEATHTIME\",\"ADMISSION_TYPE\",\
\"ADMISSION_LOCATION\",\"DISCHARGE_LOCATION\",\"INSURANCE\",\"LANGUAGE\",\"RELIGION\",\"MARITAL_STATUS\",\"ETHNICITY\",\
\"EDREGTIME\",\"EDOUTTIME\",\"DIAGNOSIS\",\"HOSPITAL_EXPIRE_FLAG\",\"HAS_CHARTEVENTS_DATA\"\n";
pub(crate) const ICUSTAYS: &str = "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"ICUSTAY_ID\",\"DBSOURCE\",\"FIRST_CAREUNIT\",\"LAST_CAREUNIT\",\
\"FIRST_WARDID\",\"LAST_WARDID\",\"INTIME\",\"OUTTIME\",\"LOS\"\n";
pub(crate) const CHARTEVENTS: &str = "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"ICUSTAY_ID\",\"ITEMID\",\"CHARTTIME\",\"STORETIME\",\"CGID\",\
\"VALUE\",\"VALUENUM\",\"VALUEUOM\",\"WARNING\",\"ERROR\",\"RESULTSTATUS\",\"STOPPED\"\n";
pub(crate) const LABEVENTS: &str = "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"ITEMID\",\"CHARTTIME\",\"VALUE\",\"VALUENUM\",\"VALUEUOM\",\"FLAG\"\n";
pub(crate) const INPUTEVENTS_CV: &str = "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"ICUSTAY_ID\",\"CHARTTIME\",\"ITEMID\",\"AMOUNT\",\
\"AMOUNTUOM\",\"RATE\",\"RATEUOM\",\"STORETIME\",\"CGID\",\"ORDERID\",\"LINKORDERID\",\"STOPPED\",\"NEWBOTTLE\",\"ORIGINALAMOUNT\",\
\"ORIGINALAMOUNTUOM\",\"ORIGINALROUTE\",\"ORIGINALRATE\",\"ORIGINALRATEUOM\",\"ORIGINALSITE\"\n";
pub(crate) const INPUTEVENTS_MV: &str = "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"ICUSTAY_ID\",\"STARTTIME\",\"ENDTIME\",\"ITEMID\",\"AMOUNT\",\
\"AMOUNTUOM\",\"RATE\",\"RATEUOM\",\"STORETIME\",\"CGID\",\"ORDERID\",\"LINKORDERID\",\"ORDERCATEGORYNAME\",\
\"SECONDARYORDERCATEGORYNAME\",\"ORDERCOMPONENTTYPEDESCRIPTION\",\"ORDERCATEGORYDESCRIPTION\",\"PATIENTWEIGHT\",\"TOTALAMOUNT\",\
\"TOTALAMOUNTUOM\",\"ISOPENBAG\",\"CONTINUEINNEXTDEPT\",\"CANCELREASON\",\"STATUSDESCRIPTION\",\"COMMENTS_EDITEDBY\",\
\"COMMENTS_CANCELEDBY\",\"COMMENTS_DATE\",\"ORIGINALAMOUNT\",\"ORIGINALRATE\"\n";
pub(crate) const OUTPUTEVENTS: &str = "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"ICUSTAY_ID\",\"CHARTTIME\",\"ITEMID\",\"VALUE\",\"VALUEUOM\",\
\"STORETIME\",\"CGID\",\"STOPPED\",\"NEWBOTTLE\",\"ISERROR\"\n";
pub(crate) const NOTEEVENTS: &str = "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"CHARTDATE\",\"CHARTTIME\",\"STORETIME\",\"CATEGORY\",\
\"DESCRIPTION\",\"CGID\",\"ISERROR\",\"TEXT\"\n";
pub(crate) const D_LABITEMS: &str = "\"ROW_ID\",\"ITEMID\",\"LABEL\",\"FLUID\",\"CATEGORY\",\"LOINC_CODE\"\n";

/// Tables in a folder of their own; every stay starts at 2150-03-01 10:00:00.
pub(crate) struct Tables {
    pub(crate) folder: TempDir,
    pub(crate) texts: Vec<(&'static str, String)>,
}

impl Tables {
    /// One patient per entry: number and outcome; stays of four days.
    pub(crate) fn new(patients: &[(u32, u8)]) -> Self {
        let mut tables = Self {
            folder: tempfile::tempdir().unwrap(),
            texts: vec![
                ("PATIENTS", PATIENTS.to_owned()),
                ("ADMISSIONS", ADMISSIONS.to_owned()),
                ("ICUSTAYS", ICUSTAYS.to_owned()),
                ("CHARTEVENTS", CHARTEVENTS.to_owned()),
                ("LABEVENTS", LABEVENTS.to_owned()),
                ("INPUTEVENTS_CV", INPUTEVENTS_CV.to_owned()),
                ("INPUTEVENTS_MV", INPUTEVENTS_MV.to_owned()),
                ("OUTPUTEVENTS", OUTPUTEVENTS.to_owned()),
                ("NOTEEVENTS", NOTEEVENTS.to_owned()),
            ],
        };
        for &(subject, died) in patients {
            tables.patient(subject, "2090-03-01 00:00:00");
            tables.admission(subject, subject + 1_000, died, "");
            tables.stay(
                subject,
                subject + 1_000,
                subject + 2_000,
                "2150-03-01 10:00:00",
                "2150-03-05 10:00:00",
            );
        }
        tables
    }

    pub(crate) fn push(&mut self, table: &str, line: &str) {
        let (_, text) = self.texts.iter_mut().find(|(name, _)| *name == table).unwrap();
        text.push_str(line);
        text.push('\n');
    }

    pub(crate) fn patient(&mut self, subject: u32, birth: &str) {
        self.push("PATIENTS", &format!("1,{subject},\"F\",{birth},,,,0"));
    }

    pub(crate) fn admission(&mut self, subject: u32, admission: u32, died: u8, death: &str) {
        let line = format!(
            "1,{subject},{admission},2150-03-01 08:00:00,2150-03-09 08:00:00,{death},\"EMERGENCY\",\"CLINIC, REFERRAL\",\
             \"SNF\",\"Medicare\",,\"NONE\",,\"WHITE\",,,\"SEPSIS;\n\"\"FEVER\"\"\",{died},1"
        );
        self.push("ADMISSIONS", &line);
    }

    pub(crate) fn stay(&mut self, subject: u32, admission: u32, stay: u32, start: &str, end: &str) {
        self.push(
            "ICUSTAYS",
            &format!("1,{subject},{admission},{stay},\"carevue\",\"MICU\",\"MICU\",50,50,{start},{end},4.0"),
        );
    }

    pub(crate) fn chart(&mut self, subject: u32, item: u32, time: &str, value: &str, error: &str) {
        let line = format!(
            "1,{subject},{},{},{item},{time},,,\"{value}\",{value},\"bpm\",0,{error},,",
            subject + 1_000,
            subject + 2_000
        );
        self.push("CHARTEVENTS", &line);
    }

    pub(crate) fn read(&self, options: &MimicOptions) -> Result<MimicSet, Error> {
        for (name, text) in &self.texts {
            fs::write(self.folder.path().join(format!("{name}.csv")), text).unwrap();
        }
        MimicSet::read(self.folder.path(), options, &mut |_| {})
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }
}

pub(crate) fn options() -> MimicOptions {
    MimicOptions { min_count: 1, fractions: [1.0, 0.0, 0.0], ..MimicOptions::default() }
}

pub(crate) fn refusal(got: Result<MimicSet, Error>) -> ClinicalError {
    match got {
        Err(Error::Clinical(error)) => error,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn length(part: &MimicPart, row: usize) -> f32 {
    *part.split.inputs.row(row).iter().last().unwrap()
}

pub(crate) const TWO: [(u32, u8); 2] = [(3, 0), (5, 1)];
