{{- define "chimera.test" -}}
{{- include "chimera.fullname" . }}-test
{{- end -}}

{{/* Where the pool of the test is: with the release, if the operator looks there. */}}
{{- define "chimera.testNamespace" -}}
{{- if or (empty .Values.watchNamespaces) (has .Release.Namespace .Values.watchNamespaces) -}}
{{- .Release.Namespace -}}
{{- else -}}
{{- first .Values.watchNamespaces -}}
{{- end -}}
{{- end -}}

{{/* Metadata of an object that is there while the test runs. */}}
{{- define "chimera.testMetadata" -}}
labels:
  {{- merge (dict "app.kubernetes.io/component" "test") (include "chimera.labels" .context | fromYaml) | toYaml | nindent 2 }}
annotations:
  helm.sh/hook: test
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
  helm.sh/hook-weight: {{ .weight | quote }}
{{- end -}}

{{/* The pool that the test makes: two models, of which its picker has to choose, on engines that are simulated. */}}
{{- define "chimera.testPool" -}}
apiVersion: chimera.dev/v1alpha1
kind: HeterogeneousModelPool
metadata:
  name: {{ include "chimera.test" . }}
  namespace: {{ include "chimera.testNamespace" . }}
spec:
  picker:
    replicas: 1
    management:
      auth: {{ .Values.pickerAccess.create | ternary "Kubernetes" "None" }}
  networkPolicy:
    mode: Disabled # the test asks the engine as a gateway would
  defaults:
    engine:
      type: Simulator
      kvTokens: 400000
  models:
    - name: small
      descriptor: {trainedAs: Meta-Llama-3-8B-Instruct, parametersB: 8, family: llama-3}
      coefficients: {baseStepMs: 7.65, stepPerSequenceUs: 30.2, prefillUsPerToken: 21.6}
    - name: large
      descriptor: {trainedAs: Meta-Llama-3-70B-Instruct, parametersB: 70.6, family: llama-3}
      coefficients: {baseStepMs: 17.8, stepPerSequenceUs: 63.0, prefillUsPerToken: 47.7}
{{- end -}}
