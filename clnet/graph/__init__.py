"""The layer graph: values, nodes, and the builder that makes them."""

from clnet.graph.builder import GraphBuilder
from clnet.graph.graph import Graph, Node, Value

__all__ = ["Graph", "GraphBuilder", "Node", "Value"]
