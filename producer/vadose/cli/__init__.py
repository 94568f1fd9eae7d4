"""The program `vadose`: each verb is a module, loaded when it is called."""
