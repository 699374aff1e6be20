@_exported public import JobTemplates
// A backend's author needs JSON values and templates as well.
@_exported public import PrefectJSON
