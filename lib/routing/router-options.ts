import type { FastifyInstance } from 'fastify'

/** Options of Fastify's router that affect paths. */
export interface RouterOptions {
  readonly isCaseSensitive: boolean
  readonly ignoresDuplicateSlashes: boolean
  /** Whether a path ends at a `;`. */
  readonly endsAtSemicolon: boolean
}

/** Read the options of the router. `initialConfig` has them in two places. */
export function readRouterOptions ({ initialConfig }: Pick<FastifyInstance, 'initialConfig'>): RouterOptions {
  const { routerOptions } = initialConfig
  // Fastify fills absent `routerOptions` with defaults even if the old place has them, except for caseSensitive.
  return {
    isCaseSensitive: routerOptions?.caseSensitive ?? initialConfig.caseSensitive ?? true,
    ignoresDuplicateSlashes: (routerOptions?.ignoreDuplicateSlashes ?? false) || (initialConfig.ignoreDuplicateSlashes ?? false),
    endsAtSemicolon: isSet(routerOptions, 'useSemicolonDelimiter') || isSet(initialConfig, 'useSemicolonDelimiter')
  }
}

/** Fastify's types do not have the option in `routerOptions`. */
function isSet (options: object | undefined, name: string): boolean {
  return options !== undefined && Reflect.get(options, name) === true
}
