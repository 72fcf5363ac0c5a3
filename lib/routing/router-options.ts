import type { FastifyInstance } from 'fastify'

/** Options of Fastify's router that affect paths. */
export interface RouterOptions {
  readonly isCaseSensitive: boolean
  readonly ignoresDuplicateSlashes: boolean
  readonly ignoresTrailingSlash: boolean
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
    ignoresTrailingSlash: (routerOptions?.ignoreTrailingSlash ?? false) || (initialConfig.ignoreTrailingSlash ?? false),
    endsAtSemicolon: isSet(routerOptions, 'useSemicolonDelimiter') || isSet(initialConfig, 'useSemicolonDelimiter')
  }
}

/** Whether a scope is the root. Only there, hooks see requests to unknown URLs. */
export function isRootScope (fastify: FastifyInstance): boolean {
  // The prototype of a scope is its parent scope.
  return !('register' in Object.getPrototypeOf(fastify))
}

/** The root scope around a scope. */
export function findRootScope (fastify: FastifyInstance): FastifyInstance {
  return isRootScope(fastify) ? fastify : findRootScope(Object.getPrototypeOf(fastify))
}

/** Fastify's types do not have the option in `routerOptions`. */
function isSet (options: object | undefined, name: string): boolean {
  return options !== undefined && Reflect.get(options, name) === true
}
