import { isRecord } from '../common/type-guards.js'

/** Convert a route's pattern to an OpenAPI path, as @fastify/swagger does: `/users/:id(\\d+)` becomes `/users/{id}`. */
export function toPathTemplate (pattern: string): string {
  let template = ''
  let unnamed = 0
  for (let i = 0; i < pattern.length;) {
    if (pattern.startsWith('::', i)) {
      template += ':'
      i += 2
    } else if (pattern[i] === ':') {
      const [name] = /^\w*/.exec(pattern.slice(i + 1)) ?? ['']
      i += 1 + name.length
      template += `{${name}}`
      // The character that ends a name is literal, even if it has a meaning elsewhere.
      if (pattern[i] === '(') i = findGroupEnd(pattern, i)
      else if (i < pattern.length) template += pattern[i++]
    } else if (pattern[i] === '(') {
      template += `{regexp${++unnamed}}`
      i = findGroupEnd(pattern, i)
    } else {
      template += pattern[i] === '*' ? '{*}' : pattern[i]
      i++
    }
  }
  return template
}

/** The index after the parenthesis that closes a regular expression. */
function findGroupEnd (pattern: string, begin: number): number {
  let depth = 0
  for (let i = begin; i < pattern.length; i++) {
    if (pattern[i] === '(') depth++
    else if (pattern[i] === ')' && --depth === 0) return i + 1
  }
  return pattern.length
}

/** The paths under which a document may list a route: complete, or without the base paths of the document's servers. */
export function toDocumentPaths (pattern: string, servers: unknown): string[] {
  const bases = Array.isArray(servers) ? servers.map(parseBasePath) : []
  const relative = bases.reduce((url: string, base) => base !== '/' && url.startsWith(base) ? url.slice(base.length) : url, pattern)
  return [...new Set([toPathTemplate(pattern), toPathTemplate(relative)])]
}

function parseBasePath (server: unknown): string {
  if (!isRecord(server) || typeof server.url !== 'string') return '/'
  const { variables } = server
  const url = server.url.replace(/\{([^{}]+)\}/g, (whole, name: string) => {
    const variable = isRecord(variables) ? variables[name] : undefined
    return isRecord(variable) ? String(variable.default) : whole
  })
  if (url.startsWith('/')) return url
  try {
    return new URL(url).pathname
  } catch {
    return '/'
  }
}
