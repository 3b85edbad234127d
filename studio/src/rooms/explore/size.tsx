import { SelectField } from "../../ui/field";
import type { Picture } from "./found";

const SIZES = [256, 512, 1024];

type SizeProps = { made: Picture; size: number | null; setSize: (size: number | null) => void };

/** The size of what is saved: as it is made, or enlarged so that others see something. */
export function SizeField({ made, size, setSize }: SizeProps) {
  const larger = SIZES.filter((side) => side > Math.max(made.width, made.height));
  const options = [
    { value: "", label: `as made, ${made.width} × ${made.height}` },
    ...larger.map((side) => ({ value: `${side}`, label: `${side} pixels` })),
  ];
  return (
    <SelectField
      label="Size when taken"
      value={`${size ?? ""}`}
      options={options}
      onChange={(value) => setSize(value ? Number(value) : null)}
    />
  );
}
