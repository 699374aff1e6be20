// The public declarations use the values of this module, and its name is not that of a product.
@_exported public import PrefectJSON
