"""The operations of expressions, found by the names under which plans record them."""
