/** One number of a typed array whose index is known to be inside; the compiler cannot know that. */
export function at(numbers: { readonly [index: number]: number }, index: number): number {
  return numbers[index] as number; // every index comes from a slot number below the table's size
}
