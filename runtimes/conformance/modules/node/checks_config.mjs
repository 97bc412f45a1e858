export const checkConfig = ({ to }) => {
  const odd = Object.keys(to).filter((name) => to[name] % 2)
  return Object.fromEntries(odd.map((name) => [`to.${name}`, 'is odd']))
}

export default (message, context) => context.config.to
