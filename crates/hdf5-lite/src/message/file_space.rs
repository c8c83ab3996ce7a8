//! Messages for writers, in the superblock extension: B-tree 'K' Values (IV.A.2.t) and File
//! Space Info (IV.A.2.x).

use nom::Parser;
use nom::number::complete::{le_u8, le_u16};

use super::Message;
use crate::parse::{Context, Parsed, Structure, field, version};

/// How full the nodes of version 1 B-trees get; nodes say themselves how full they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BTreeK {
    pub(crate) chunks: u16,
    pub(crate) group_internal: u16,
    pub(crate) group_leaf: u16,
}

impl Message for BTreeK {
    const ID: u16 = 0x0013;
}

impl Structure for BTreeK {
    const NAME: &'static str = "B-tree 'K' Values";
    const SPEC: &'static str = "IV.A.2.t";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        let (i, _) = version(0..=0).parse(i)?;
        let (i, chunks) = field("indexed storage internal node k", le_u16).parse(i)?;
        let (i, group_internal) = field("group internal node k", le_u16).parse(i)?;
        let (i, group_leaf) = field("group leaf node k", le_u16).parse(i)?;
        Ok((i, Self { chunks, group_internal, group_leaf }))
    }
}

/// How the file's free space is kept; what is free is nothing to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileSpaceInfo {
    pub(crate) strategy: u8,
}

impl Message for FileSpaceInfo {
    const ID: u16 = 0x0017;
}

impl Structure for FileSpaceInfo {
    const NAME: &'static str = "File Space Info";
    const SPEC: &'static str = "IV.A.2.x";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        let (i, _) = version(0..=1).parse(i)?;
        let (i, strategy) = field("strategy", le_u8).parse(i)?;
        Ok((i, Self { strategy }))
    }
}

#[test]
fn each_message() {
    use crate::testing::build;
    let k = build().u8(0).u16(32).u16(16).u16(4);
    k.assert_needs_all::<BTreeK>();
    let wanted = BTreeK { chunks: 32, group_internal: 16, group_leaf: 4 };
    assert_eq!(k.read::<BTreeK>().unwrap(), wanted);
    assert_eq!(build().u8(1).u8(2).zeros(20).read::<FileSpaceInfo>().unwrap().strategy, 2);
}
