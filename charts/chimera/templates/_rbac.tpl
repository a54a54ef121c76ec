{{/*
Roles of a file of `files/rbac` by kind and name: `context`, and the `file`'s name. In the roles themselves `chimera` at
the beginning of a name is replaced by the full name.
*/}}
{{- define "chimera.roles" -}}
{{- $full := include "chimera.fullname" .context -}}
{{- $roles := dict -}}
{{- range splitList "\n---\n" (.context.Files.Get (printf "files/rbac/%s.yaml" .file)) -}}
{{- $role := fromYaml . -}}
{{- if hasSuffix "Role" $role.kind -}}
{{- $_ := set $roles (printf "%s/%s" $role.kind $role.metadata.name) $role -}}
{{- $_ := set $role.metadata "name" (regexReplaceAll "^chimera" $role.metadata.name $full) -}}
{{- range $role.rules -}}
{{- if .resourceNames -}}
{{- $_ := set . "resourceNames" (regexReplaceAll "(^| )chimera" (join " " .resourceNames) (printf "${1}%s" $full) | splitList " ") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $roles -}}
{{- end -}}

{{/* A role: `context`, the `role` as above, and its `namespace`, empty for the whole cluster. */}}
{{- define "chimera.role" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ empty .namespace | ternary "ClusterRole" "Role" }}
metadata:
  name: {{ .role.metadata.name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- merge (include "chimera.labels" .context | fromYaml) (default dict .role.metadata.labels) | toYaml | nindent 4 }}
rules:
  {{- toYaml .role.rules | nindent 2 }}
{{- end -}}

{{/* What gives such a role to `subjects`, by default the operator's account. */}}
{{- define "chimera.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ empty .namespace | ternary "ClusterRoleBinding" "RoleBinding" }}
metadata:
  name: {{ .role.metadata.name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "chimera.labels" .context | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ empty .namespace | ternary "ClusterRole" "Role" }}
  name: {{ .role.metadata.name }}
subjects:
  {{- toYaml .subjects | nindent 2 }}
{{- end -}}

{{/* A service account of the release's namespace, as the subjects of a binding: `context` and its `name`. */}}
{{- define "chimera.account" -}}
- kind: ServiceAccount
  name: {{ .name }}
  namespace: {{ .context.Release.Namespace }}
{{- end -}}
