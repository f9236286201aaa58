//! Walking graphs with their subgraphs. Knows the nesting of graphs, nodes and attributes and nothing else.

use std::collections::HashSet;

use super::pb;

/// The graphs in a node's attributes.
pub(super) fn subgraphs(node: &pb::NodeProto) -> impl Iterator<Item = &pb::GraphProto> {
    node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs))
}

/// Calls `see` for every node of a model: the graph's, its subgraphs' and its functions'.
pub(crate) fn for_each_node<'m>(model: &'m pb::ModelProto, see: &mut impl FnMut(&'m pb::NodeProto)) {
    model.graph.iter().for_each(|graph| nodes(&graph.node, see));
    model.functions.iter().for_each(|function| nodes(&function.node, see));
}

fn nodes<'m>(list: &'m [pb::NodeProto], see: &mut impl FnMut(&'m pb::NodeProto)) {
    for node in list {
        see(node);
        subgraphs(node).for_each(|graph| nodes(&graph.node, see));
    }
}

/// Every name that a node's subgraphs mention. Those of an outer graph are what it captures; the rest are its own, and
/// as names are unique across nested graphs, asking for them outside finds nothing.
pub(crate) fn captured<'m>(node: &'m pb::NodeProto, names: &mut HashSet<&'m str>) {
    for graph in subgraphs(node) {
        names.extend(graph.output.iter().map(pb::ValueInfoProto::name));
        for inner in &graph.node {
            names.extend(inner.input.iter().map(String::as_str));
            captured(inner, names);
        }
    }
}
