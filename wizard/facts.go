package wizard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"portolan/templates"
	"portolan/wizard/porttoml"
)

// facts are the answers that the stock folder gives, with their source. What
// fails its question's validation is left out: a person is asked then.
func (v *Voyage) facts(ctx context.Context) map[string]Value {
	found := map[string]Value{}
	add := func(id, text string, source Source) {
		q, ok := QuestionByID(id)
		if !ok || text == "" {
			return
		}
		if err := q.Check(text); err != nil {
			v.note(ctx, StepDescribe, "%s says %s = %q, which is not taken: %v", source, id, text, err)
			return
		}
		if _, known := found[id]; !known {
			found[id] = Value{Text: text, Source: source}
		}
	}
	vars, err := readVars(v.port.Path("stock", "vars.toml"))
	if err != nil {
		v.line(ctx, StepDescribe, LineWarning, err.Error())
	}
	product := strings.Join(strings.Fields(vars["product"]), "_")
	add("fastboot_product", product, SourceFastboot)
	add("codename", strings.ToLower(product), SourceFastboot)
	add("manufacturer", vars["manufacturer"], SourceFastboot)
	add("name", fullName(vars["manufacturer"], vars["model"]), SourceFastboot)
	add("vendor", word(vars["manufacturer"]), SourceFastboot)

	if v.practicePhone() {
		add("modules_initfs", strings.Join(templates.PracticeModules(), " "), SourceDefault)
		add("debug_shell", "true", SourceDefault) // nobody else holds its cable
	}

	path := v.port.Path("stock", "boot.img")
	if _, err := os.Stat(path); err != nil {
		return found
	}
	stock, err := v.cfg.Rooms.StockImage(path)
	if err != nil {
		v.line(ctx, StepDescribe, LineWarning, fmt.Sprintf("the stock boot image %s cannot be read, so it answers nothing: %v; the questions have to be answered by hand, or replace the file", path, err))
		return found
	}
	maker := stock.Properties["ro.product.manufacturer"]
	add("manufacturer", maker, SourceBootImage)
	add("vendor", word(maker), SourceBootImage)
	add("name", fullName(maker, stock.Properties["ro.product.model"]), SourceBootImage)
	add("codename", strings.ToLower(stock.Properties["ro.product.device"]), SourceBootImage)
	add("arch", stock.Arch, SourceBootImage)
	add("header_version", fmt.Sprint(stock.HeaderVersion), SourceBootImage)
	add("flash_pagesize", fmt.Sprint(stock.PageSize), SourceBootImage)
	add("kernel_cmdline", stock.Cmdline, SourceBootImage)
	for name, offset := range stock.Offsets {
		add("flash_offset_"+name, fmt.Sprintf("0x%08x", offset), SourceBootImage)
	}
	if stock.KernelVersion != "" {
		v.note(ctx, StepDescribe, "the phone came with %s", Printable(stock.KernelVersion))
	}
	return found
}

// fullName puts the manufacturer before a model that does not begin with it,
// as names in deviceinfo do.
func fullName(maker, model string) string {
	if model == "" || maker == "" || strings.HasPrefix(model, maker) {
		return model
	}
	return maker + " " + model
}

// readVars reads stock/vars.toml; without one there are none.
func readVars(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what the bootloader told: %w", err)
	}
	doc, err := porttoml.Parse(data)
	if err != nil {
		return nil, syntaxError(path, err, "delete the file: the detect step writes it again")
	}
	vars := map[string]string{}
	for _, key := range doc.Keys() {
		raw, _ := doc.Get(key)
		if text, ok := raw.(string); ok {
			vars[key] = text
		}
	}
	return vars, nil
}

// takeBootImage copies the boot image that a person named into the stock folder.
// One that cannot be read is refused, and the old one stays.
func (v *Voyage) takeBootImage() error {
	file := v.cfg.BootImage
	if file == "" {
		return nil
	}
	info, err := os.Stat(file)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxStock) {
		err = fmt.Errorf("it is no file of at most %d bytes", maxStock)
	}
	if err == nil {
		_, err = v.cfg.Rooms.StockImage(file)
	}
	if err != nil {
		return &UsageError{File: file, Text: "this is not taken as the phone's boot image", Err: err}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the boot image: %w", err)
	}
	if old, err := os.ReadFile(v.port.Path("stock", "boot.img")); err == nil && bytes.Equal(old, data) {
		return nil
	}
	return v.keepStock(data)
}
