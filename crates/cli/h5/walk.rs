//! Everything in a file, link by link.

use std::collections::HashMap;

use hdf5_lite::{Error, Group, Link, LinkTarget, Node, Object, ObjectAddress};

use crate::error::Result;

/// What a link leads to.
pub(crate) enum Found {
    /// An object, met for the first time.
    Node(Node),
    /// An object that was met before, at this path.
    Again(String),
    Soft(String),
    External {
        file: String,
        path: String,
    },
    /// A link of a kind that only its writer knows.
    UserDefined(u8),
    /// The link, the object, or the links of the group at this path cannot be read.
    Bad(Error),
}

pub(crate) struct Entry {
    /// From the root of the file.
    pub(crate) path: String,
    /// Links from the start of the walk.
    pub(crate) depth: usize,
    pub(crate) found: Found,
}

/// Groups, and the links of each that are still to be followed, the next one last.
type Waiting = Vec<(Group, String, Vec<Link>)>;

/// Visits the object at `path` and all below it, depth first, names in byte order. Soft and
/// external links are not followed.
pub(crate) fn walk(
    node: Node,
    path: String,
    visit: &mut dyn FnMut(&Entry) -> Result<()>,
) -> Result<()> {
    let mut seen = HashMap::from([(node.object().address(), path.clone())]);
    let mut waiting = Waiting::new();
    enter(node, path, &mut waiting, visit)?;
    while let Some((group, path, links)) = waiting.last_mut() {
        let Some(link) = links.pop() else {
            waiting.pop();
            continue;
        };
        let path = format!("{}/{}", path.trim_end_matches('/'), link.name());
        let group = group.clone();
        let depth = waiting.len();
        let found = match link.target() {
            LinkTarget::Hard(address) => match seen.get(address) {
                Some(first) => Found::Again(first.clone()),
                None => match object(&group, &link, *address, &path, &mut seen) {
                    Ok(node) => {
                        enter(node, path, &mut waiting, visit)?;
                        continue;
                    }
                    Err(error) => Found::Bad(error),
                },
            },
            LinkTarget::Soft(target) => Found::Soft(text(target)),
            LinkTarget::External { file, path } => {
                Found::External { file: text(file), path: text(path) }
            }
            LinkTarget::UserDefined { kind, .. } => Found::UserDefined(*kind),
            _ => continue,
        };
        visit(&Entry { path, depth, found })?;
    }
    Ok(())
}

fn object(
    group: &Group,
    link: &Link,
    address: ObjectAddress,
    path: &str,
    seen: &mut HashMap<ObjectAddress, String>,
) -> Result<Node, Error> {
    let node = group.follow(link).and_then(Object::into_node)?;
    seen.insert(address, path.to_owned());
    Ok(node)
}

/// Visits an object; puts the links of a group where they wait.
fn enter(
    node: Node,
    path: String,
    waiting: &mut Waiting,
    visit: &mut dyn FnMut(&Entry) -> Result<()>,
) -> Result<()> {
    let depth = waiting.len();
    let entry = Entry { path, depth, found: Found::Node(node) };
    visit(&entry)?;
    let Found::Node(Node::Group(group)) = entry.found else { return Ok(()) };
    match group.links() {
        Ok(mut links) => {
            links.reverse();
            waiting.push((group, entry.path, links));
            Ok(())
        }
        Err(error) => {
            visit(&Entry { path: entry.path, depth: depth + 1, found: Found::Bad(error) })
        }
    }
}

/// A name or path as stored, mostly UTF-8.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// A name without what a terminal would take for commands.
pub(crate) fn printable(name: &str) -> String {
    let escape = |c: char| match c {
        c if c.is_control() => c.escape_default().collect::<String>(),
        c => c.into(),
    };
    name.chars().map(escape).collect()
}
