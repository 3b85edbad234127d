import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

type Common = { label: string; hint?: ComponentChildren; wrong?: string | undefined };
type Attributes = {
  id: string;
  "aria-describedby"?: string | undefined;
  "aria-invalid"?: "true" | undefined;
};

/** A control with its label, a hint below it and what is wrong with it, tied together for screen readers. */
export function Field({
  label,
  hint,
  wrong,
  children,
}: Common & { children: (attributes: Attributes) => ComponentChildren }) {
  const id = useId();
  const about = [hint && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, "aria-describedby": about || undefined, "aria-invalid": wrong ? "true" : undefined })}
      {hint && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      {wrong && (
        <span class="wrong" id={`${id}-wrong`}>
          {wrong}
        </span>
      )}
    </div>
  );
}

type InputProps = Common & {
  value: string;
  onInput: (value: string) => void;
  type?: "text" | "number" | "password" | "search";
  autocomplete?: string;
  placeholder?: string;
  required?: boolean;
  disabled?: boolean;
  min?: number;
  max?: number;
  step?: number | "any";
  list?: string;
};

export function TextField({ label, hint, wrong, onInput, ...rest }: InputProps) {
  return (
    <Field label={label} hint={hint} wrong={wrong}>
      {(attributes) => (
        <input {...(rest as object)} {...attributes} onInput={(event) => onInput(event.currentTarget.value)} />
      )}
    </Field>
  );
}

export type Option = { value: string; label: string };

type SelectProps = Common & {
  value: string;
  options: readonly Option[];
  onChange: (value: string) => void;
  disabled?: boolean;
};

export function SelectField({ label, hint, wrong, value, options, onChange, disabled }: SelectProps) {
  return (
    <Field label={label} hint={hint} wrong={wrong}>
      {(attributes) => (
        <select
          {...attributes}
          value={value}
          disabled={disabled}
          onChange={(event) => onChange(event.currentTarget.value)}
        >
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

type RangeProps = Common & {
  value: number;
  min: number;
  max: number;
  step: number;
  onInput: (value: number) => void;
  shown?: string;
};

/** A slider whose value stands beside its label; `shown` is the value in words, for eyes and screen readers. */
export function RangeField({ label, hint, value, min, max, step, onInput, shown }: RangeProps) {
  return (
    <Field label={`${label}: ${shown ?? value}`} hint={hint}>
      {(attributes) => (
        <input
          {...attributes}
          type="range"
          value={value}
          min={min}
          max={max}
          step={step}
          aria-valuetext={shown ?? `${value}`}
          onInput={(event) => onInput(event.currentTarget.valueAsNumber)}
        />
      )}
    </Field>
  );
}
