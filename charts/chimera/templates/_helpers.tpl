{{/* What names of objects begin with; 40 characters leave room for what follows. */}}
{{- define "chimera.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Name of the operator: of its Deployment, its lease, its roles. */}}
{{- define "chimera.operator" -}}
{{- include "chimera.fullname" . }}-operator
{{- end -}}

{{- define "chimera.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "chimera.operator" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is required where serviceAccount.create is off" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Name of the account that reads the load of pickers; empty where there is none. */}}
{{- define "chimera.statusReader" -}}
{{- $own := .Values.statusReader.create | ternary (printf "%s-status-reader" (include "chimera.fullname" .)) "" -}}
{{- default $own .Values.statusReader.name -}}
{{- end -}}

{{/* Labels by which the operator's pods are found. They never change. */}}
{{- define "chimera.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Labels of every object. */}}
{{- define "chimera.labels" -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" (.Chart.AppVersion | replace "+" "_" | trunc 63)
  "app.kubernetes.io/part-of" "chimera"
  "app.kubernetes.io/managed-by" .Release.Service -}}
{{- merge (include "chimera.selectorLabels" . | fromYaml) $own .Values.commonLabels | toYaml -}}
{{- end -}}

{{/* Reference of an image: its repository, tag and digest, and the context. */}}
{{- define "chimera.image" -}}
{{- $registry := .context.Values.global.imageRegistry | trimSuffix "/" -}}
{{- $repository := empty $registry | ternary .image.repository (printf "%s/%s" $registry .image.repository) -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .context.Chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}
