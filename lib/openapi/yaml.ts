/** Strings that YAML would parse as a boolean or null. */
const RESERVED = /^(?:true|false|null|yes|no|on|off|y|n)$/i
/** Strings that need no quotes. */
const PLAIN = /^[A-Za-z/][\w/.{}-]*(?: [\w/.{}-]+)*$/

/** Format a JSON value as YAML 1.2 in block style. Values that JSON cannot represent are omitted, as in JSON. */
export function toYaml (value: unknown): string {
  const json: unknown = JSON.parse(JSON.stringify(value))
  return formatScalar(json) === null ? formatBlock(json, '') : `${formatScalar(json)}\n`
}

function formatBlock (value: unknown, indent: string): string {
  if (Array.isArray(value)) return value.map((item) => formatEntry('-', item, indent)).join('')
  return Object.entries(value ?? {}).map(([key, item]) => formatEntry(`${formatString(key)}:`, item, indent)).join('')
}

function formatEntry (head: string, value: unknown, indent: string): string {
  const scalar = formatScalar(value)
  return scalar === null ? `${indent}${head}\n${formatBlock(value, `${indent}  `)}` : `${indent}${head} ${scalar}\n`
}

/** The value on one line; `null` if it needs several. */
function formatScalar (value: unknown): string | null {
  if (typeof value === 'string') return formatString(value)
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return value.length === 0 ? '[]' : null
  return Object.keys(value).length === 0 ? '{}' : null
}

/** JSON quoting is valid in YAML, except for a few characters that YAML does not consider printable: they are escaped. */
function formatString (text: string): string {
  if (PLAIN.test(text) && !RESERVED.test(text)) return text
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g, escapeCharacter)
}

function escapeCharacter (character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
