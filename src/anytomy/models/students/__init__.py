"""Students: small networks that find their classes without prompts, taught by a promptable teacher."""
