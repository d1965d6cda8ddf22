"""How it is spelled: pure codecs between bytes and values, one file per protocol. No I/O and no judgement."""
