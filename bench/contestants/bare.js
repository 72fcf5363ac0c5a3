export const bare = {
  title: 'bare Fastify',
  add () {}
}
