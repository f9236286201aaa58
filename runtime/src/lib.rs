//! The runtime: everything between a labelled picture and a proved head.
