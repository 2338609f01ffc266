"""Model cards and the artifact store: which models there are, and their weights, checked.

`registry.card(ID)` is what is known of a model, `store.ensure(ID)` the path of its weights,
`samples.sample(NAME)` the path of a sample image. Nothing is imported here, so that a command that
needs only the cards loads no more than these.
"""
