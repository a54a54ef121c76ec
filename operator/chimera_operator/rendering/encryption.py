"""How the picker serves ext_proc."""

from typing import Literal

Encryption = Literal["SelfSigned", "Certificate", "Plaintext"]
"""As `spec.picker.tls.mode` has it, once Auto is decided."""
