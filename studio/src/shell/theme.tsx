import { effect, signal } from "@preact/signals";

type Theme = "auto" | "light" | "dark";
const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const SIGNS: Record<Theme, string> = { auto: "◐", light: "☀", dark: "☾" };

function kept(): Theme {
  const found = localStorage.getItem("theme");
  return found === "light" || found === "dark" ? found : "auto";
}

/** The reader's choice; `auto` goes by the system. */
export const theme = signal<Theme>(kept());

effect(() => {
  localStorage.setItem("theme", theme.value);
  if (theme.value === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});

export function ThemeButton() {
  return (
    <button
      type="button"
      class="plain"
      aria-label={`Colours: ${theme.value}. Change to ${NEXT[theme.value]}`}
      onClick={() => {
        theme.value = NEXT[theme.value];
      }}
    >
      {SIGNS[theme.value]}
    </button>
  );
}
