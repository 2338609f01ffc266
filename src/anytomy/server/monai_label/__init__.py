"""The MONAI Label protocol, as plug-ins of 3D Slicer and OHIF speak it, on the same cases and sessions."""
