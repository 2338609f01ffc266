"""What is tuned in a model: methods by name, heads for classes, and the folder that holds the result.

`registry.parse("lora:4+decoder")` gives methods, `adapted.attach` puts them into a model, `adapted.trained`
is what they learned, `folder.write_adapter` keeps it. `sam_med2d` is an adapter that a published model
carries.
"""
