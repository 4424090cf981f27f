/** Drawings for buttons; each stands beside a name that is read out. */
const paths = {
  back: "M15 5l-7 7 7 7",
  check: "M5 12.5l4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h10v10H9zM15 9V5H5v10h4",
  group:
    "M9 11a3.2 3.2 0 100-6.4A3.2 3.2 0 009 11zm-6 8.5c.4-3.4 2.8-5.2 6-5.2s5.6 1.800 6 5.200M16 11.200a2.700 2.700 0 10-1.200-5.200m2 8.600c2.300.4 3.800 2 4.200 4.900",
  lock: "M6.500 11h11v8.500h-11zM9 11V8a3 3 0 016 0v3",
  pen: "M5 19l.8-3.600L15.600 5.600l2.800 2.800-9.800 9.800z",
  plus: "M12 5v14M5 12h14",
  send: "M4.500 12L19.500 5l-4 14.500-4-5.500zm7 2l8-9",
  settings: "M4 7h9m5 0h2M4 17h2m5 0h9M15.500 7a2 2 0 104 0 2 2 0 10-4 0zM6.500 17a2 2 0 104 0 2 2 0 10-4 0z"
} as const

export type IconName = keyof typeof paths

export const Icon = ({ name }: { readonly name: IconName }) => (
  <svg class="glyph" viewBox="0 0 24 24" aria-hidden="true">
    <path d={paths[name]} />
  </svg>
)
