import type { FastifyInstance } from 'fastify'

/** Options of Fastify's router about paths. */
export interface RouterOptions {
  readonly isCaseSensitive: boolean
  readonly ignoresDuplicateSlashes: boolean
  /** Whether a path ends at a `;`. */
  readonly endsAtSemicolon: boolean
}

/** Read the settings of the router, which `initialConfig` holds in two places. */
export function readRouterOptions ({ initialConfig }: Pick<FastifyInstance, 'initialConfig'>): RouterOptions {
  const { routerOptions } = initialConfig
  // Fastify fills absent options in `routerOptions` with their defaults even where the old place has them, all but caseSensitive.
  return {
    isCaseSensitive: routerOptions?.caseSensitive ?? initialConfig.caseSensitive ?? true,
    ignoresDuplicateSlashes: (routerOptions?.ignoreDuplicateSlashes ?? false) || (initialConfig.ignoreDuplicateSlashes ?? false),
    endsAtSemicolon: isSet(routerOptions, 'useSemicolonDelimiter') || isSet(initialConfig, 'useSemicolonDelimiter')
  }
}

/** Fastify's types do not know of it in `routerOptions`. */
function isSet (options: object | undefined, name: string): boolean {
  return options !== undefined && Reflect.get(options, name) === true
}
