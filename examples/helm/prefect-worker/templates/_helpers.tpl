{{- define "prefect-worker.name" -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "prefect-worker.account" -}}
{{- default (include "prefect-worker.name" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "prefect-worker.selector" -}}
app.kubernetes.io/name: prefect-worker
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "prefect-worker.labels" -}}
{{ include "prefect-worker.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}
