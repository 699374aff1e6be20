// A backend's author needs JSON values and templates as well.
@_exported public import JSON
@_exported public import JobTemplates
